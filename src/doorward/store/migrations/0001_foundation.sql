-- Instants are milliseconds since 1970 (BIGINT), booleans 0/1, `*_json` columns JSON text, `*_sealed` columns
-- encrypted text (see crypto.py). Every key begins with workspace_id, so that a distributed PostgreSQL can shard by it.

CREATE TABLE workspaces (
  workspace_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  is_sandbox INTEGER NOT NULL,
  connect_partner_name TEXT,
  customization_json TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- Only a hash of the key's long part is kept; `short` is the part that names it.
CREATE TABLE api_keys (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  api_key_id TEXT NOT NULL,
  short TEXT NOT NULL,
  hash TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, api_key_id)
);
CREATE UNIQUE INDEX api_keys_short ON api_keys (short);

-- The operator's own tokens: they reach every workspace of this server.
CREATE TABLE personal_access_tokens (
  token_id TEXT PRIMARY KEY,
  short TEXT NOT NULL,
  hash TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX personal_access_tokens_short ON personal_access_tokens (short);

CREATE TABLE connect_webviews (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  connect_webview_id TEXT NOT NULL,
  token_sealed TEXT NOT NULL,
  accepted_providers_json TEXT NOT NULL,
  any_provider_allowed INTEGER NOT NULL,
  accepted_capabilities_json TEXT NOT NULL,
  device_selection_mode TEXT NOT NULL,
  automatically_manage_new_devices INTEGER NOT NULL,
  wait_for_device_creation INTEGER NOT NULL,
  custom_redirect_url TEXT,
  custom_redirect_failure_url TEXT,
  custom_metadata_json TEXT NOT NULL,
  customer_key TEXT,
  status TEXT NOT NULL,
  login_successful INTEGER NOT NULL,
  selected_provider TEXT,
  connected_account_id TEXT,
  authorized_at BIGINT,
  flow_sealed TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, connect_webview_id)
);
CREATE UNIQUE INDEX connect_webviews_id ON connect_webviews (connect_webview_id);
CREATE INDEX connect_webviews_in_order ON connect_webviews (workspace_id, created_at, connect_webview_id);

-- `identity_key` is the provider's own name for the login: logging in again finds the same account.
CREATE TABLE connected_accounts (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  connected_account_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  identity_key TEXT NOT NULL,
  user_identifier_json TEXT NOT NULL,
  display_name TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  automatically_manage_new_devices INTEGER NOT NULL,
  accepted_capabilities_json TEXT NOT NULL,
  custom_metadata_json TEXT NOT NULL,
  customer_key TEXT,
  errors_json TEXT NOT NULL,
  warnings_json TEXT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, connected_account_id)
);
CREATE UNIQUE INDEX connected_accounts_identity ON connected_accounts (workspace_id, provider, identity_key);
CREATE INDEX connected_accounts_in_order ON connected_accounts (workspace_id, created_at, connected_account_id);

-- `report_json` is what the device last said of itself; `online` and `locked` change often and stand apart.
CREATE TABLE devices (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  device_id TEXT NOT NULL,
  connected_account_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  ref TEXT NOT NULL,
  device_type TEXT NOT NULL,
  manufacturer TEXT NOT NULL,
  name TEXT NOT NULL,
  nickname TEXT,
  is_managed INTEGER NOT NULL,
  is_lock INTEGER NOT NULL,
  online INTEGER NOT NULL,
  locked INTEGER,
  door_open INTEGER,
  report_json TEXT NOT NULL,
  secret_sealed TEXT,
  custom_metadata_json TEXT NOT NULL,
  customer_key TEXT,
  errors_json TEXT NOT NULL,
  warnings_json TEXT NOT NULL,
  backup_pool_enabled INTEGER NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, device_id),
  FOREIGN KEY (workspace_id, connected_account_id)
    REFERENCES connected_accounts (workspace_id, connected_account_id)
);
CREATE UNIQUE INDEX devices_ref ON devices (workspace_id, connected_account_id, ref);
CREATE INDEX devices_in_order ON devices (workspace_id, is_managed, created_at, device_id);

-- Wanted and held stand apart: the plain columns say what is wanted (`revision` counts its changes), `held_*` what
-- the device is known to hold. A row that is no longer wanted stays until the device has let go of it.
-- `code_hash` is keyed, per device: equal PINs are found without reading one.
CREATE TABLE access_codes (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  access_code_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  name TEXT,
  code_sealed TEXT,
  code_hash TEXT,
  starts_at BIGINT,
  ends_at BIGINT,
  is_managed INTEGER NOT NULL,
  is_backup INTEGER NOT NULL,
  is_offline INTEGER NOT NULL,
  is_one_time_use INTEGER NOT NULL,
  is_external_modification_allowed INTEGER NOT NULL,
  common_code_key TEXT,
  pulled_backup_access_code_id TEXT,
  is_wanted INTEGER NOT NULL,
  revision BIGINT NOT NULL,
  requested_at BIGINT NOT NULL,
  held_revision BIGINT,
  held_sealed TEXT,
  status TEXT NOT NULL,
  errors_json TEXT NOT NULL,
  warnings_json TEXT NOT NULL,
  failures INTEGER NOT NULL,
  retry_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, access_code_id),
  FOREIGN KEY (workspace_id, device_id) REFERENCES devices (workspace_id, device_id)
);
CREATE INDEX access_codes_in_order ON access_codes (workspace_id, device_id, created_at, access_code_id);
CREATE INDEX access_codes_pin ON access_codes (workspace_id, device_id, code_hash);

-- `phase` of a command: queued → sending → done; only a queued one may still be sent, and only before `deadline_at`.
-- Attempts about access codes are `level`: they end when the device holds what is wanted.
CREATE TABLE action_attempts (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  action_attempt_id TEXT NOT NULL,
  action_type TEXT NOT NULL,
  device_id TEXT,
  connected_account_id TEXT,
  access_code_id TEXT,
  status TEXT NOT NULL,
  phase TEXT NOT NULL,
  owner TEXT NOT NULL,
  deadline_at BIGINT NOT NULL,
  result_json TEXT,
  error_json TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, action_attempt_id)
);
CREATE INDEX action_attempts_in_order ON action_attempts (workspace_id, created_at, action_attempt_id);
CREATE INDEX action_attempts_code ON action_attempts (workspace_id, access_code_id)
  WHERE access_code_id IS NOT NULL AND phase <> 'done';
CREATE INDEX action_attempts_open ON action_attempts (deadline_at) WHERE phase <> 'done';

-- `body_json` is the event as it is served, less the members in `secret_sealed` (PINs).
CREATE TABLE events (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  connected_account_id TEXT,
  device_id TEXT,
  access_code_id TEXT,
  connect_webview_id TEXT,
  action_attempt_id TEXT,
  customer_key TEXT,
  body_json TEXT NOT NULL,
  secret_sealed TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, event_id)
);
CREATE INDEX events_in_order ON events (workspace_id, created_at, event_id);
CREATE INDEX events_device ON events (workspace_id, device_id, created_at);
CREATE INDEX events_access_code ON events (workspace_id, access_code_id) WHERE access_code_id IS NOT NULL;
CREATE INDEX events_connected_account ON events (workspace_id, connected_account_id, created_at);

-- What a device reported already, so that a repeat changes nothing.
CREATE TABLE seen_device_events (
  workspace_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  event_key TEXT NOT NULL,
  occurred_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, device_id, event_key)
);

-- Work with a time: `kind` says whose, `subject_id` on what. A lease saves double work; correctness never needs it.
CREATE TABLE due (
  workspace_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  attempt INTEGER NOT NULL,
  lease_owner TEXT,
  lease_until BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, kind, subject_id)
);
CREATE INDEX due_next ON due (kind, due_at);

-- Virtual devices of sandbox workspaces; `state_sealed` is their brand's own.
CREATE TABLE twins (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  brand TEXT NOT NULL,
  ref TEXT NOT NULL,
  owner TEXT NOT NULL,
  position INTEGER NOT NULL,
  state_sealed TEXT NOT NULL,
  PRIMARY KEY (workspace_id, brand, ref)
);
CREATE INDEX twins_owner ON twins (workspace_id, brand, owner, position);
