-- Codes found on devices stand beside ours: `ref` finds them, and lists of ours pass them by.
-- `external_sealed`: what somebody else made of a code of ours, before and after. `breaker_json`: see core/breaker.py.
-- `is_kept_elsewhere`: another system maintains the entry.
ALTER TABLE access_codes ADD COLUMN external_sealed TEXT;
ALTER TABLE access_codes ADD COLUMN breaker_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE access_codes ADD COLUMN is_kept_elsewhere INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX access_codes_ref ON access_codes (workspace_id, device_id, ref);
CREATE INDEX access_codes_managed ON access_codes (workspace_id, device_id, created_at, access_code_id)
  WHERE is_managed = 1;
