-- `takes_over`: a code that was found on the device is to become ours (1), even when another integration claims it (2);
-- it is 0 again when the device holds our tag. `is_claimed`: the entry carries another integration's tag.
ALTER TABLE access_codes ADD COLUMN takes_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE access_codes ADD COLUMN is_claimed INTEGER NOT NULL DEFAULT 0;
-- Codes that are not managed here and are to be removed all the same.
CREATE INDEX access_codes_to_remove ON access_codes (workspace_id, device_id)
  WHERE is_managed = 0 AND is_wanted = 0;
-- `is_deferred`: not to be written to the device before it begins.
ALTER TABLE access_codes ADD COLUMN is_deferred INTEGER NOT NULL DEFAULT 0;
-- Reserve codes (`is_backup = 1`): one that was pulled names the code that it stands for.
ALTER TABLE access_codes ADD COLUMN uses_backup_pool INTEGER NOT NULL DEFAULT 0;
ALTER TABLE access_codes ADD COLUMN pulled_for TEXT;
CREATE INDEX access_codes_backup ON access_codes (workspace_id, device_id) WHERE is_backup = 1;
CREATE INDEX access_codes_pool_users ON access_codes (workspace_id, device_id) WHERE uses_backup_pool = 1;

-- What callers know of a device that it does not tell itself: narrower lengths of PINs.
ALTER TABLE devices ADD COLUMN constraints_json TEXT NOT NULL DEFAULT '{}';

-- Who caused an event, as `api_key:<id>` or `token:<id>`; NULL: nobody who called.
ALTER TABLE events ADD COLUMN actor TEXT;

-- What was tried at devices, and what came of it: a code's timeline beside its events. `data_json` holds no PIN.
CREATE TABLE code_log (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  access_code_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  began_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  start_id TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  data_json TEXT NOT NULL,
  PRIMARY KEY (workspace_id, access_code_id, ended_at, entry_id)
);
CREATE INDEX code_log_device ON code_log (workspace_id, device_id, ended_at, entry_id);
CREATE INDEX code_log_old ON code_log (ended_at);
