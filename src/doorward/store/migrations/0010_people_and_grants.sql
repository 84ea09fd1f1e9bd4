-- People that are given access. One that was merged into another keeps its id and key, so that both still find it.
CREATE TABLE user_identities (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  user_identity_id TEXT NOT NULL,
  user_identity_key TEXT,
  full_name TEXT,
  email_address TEXT,
  phone_number TEXT,
  customer_key TEXT,
  merged_into TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, user_identity_id)
);
CREATE UNIQUE INDEX user_identities_key ON user_identities (workspace_id, user_identity_key)
  WHERE user_identity_key IS NOT NULL;
CREATE UNIQUE INDEX user_identities_email ON user_identities (workspace_id, email_address)
  WHERE email_address IS NOT NULL;
CREATE UNIQUE INDEX user_identities_phone ON user_identities (workspace_id, phone_number)
  WHERE phone_number IS NOT NULL;
CREATE INDEX user_identities_in_order ON user_identities (workspace_id, created_at, user_identity_id);
CREATE INDEX user_identities_merged ON user_identities (workspace_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE user_identity_devices (
  workspace_id TEXT NOT NULL,
  user_identity_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, user_identity_id, device_id)
);

-- Who may go where, when, and by which means. `requests_sealed`: the methods that were asked for, with their PINs.
-- `is_wanted` 0: it is to go, and does when all its methods are gone.
CREATE TABLE access_grants (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  access_grant_id TEXT NOT NULL,
  access_grant_key TEXT,
  reservation_key TEXT,
  customer_key TEXT,
  user_identity_id TEXT NOT NULL,
  name TEXT,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT,
  requests_sealed TEXT NOT NULL,
  warnings_json TEXT NOT NULL,
  is_wanted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, access_grant_id)
);
CREATE UNIQUE INDEX access_grants_key ON access_grants (workspace_id, access_grant_key)
  WHERE access_grant_key IS NOT NULL;
CREATE INDEX access_grants_reservation ON access_grants (workspace_id, reservation_key)
  WHERE reservation_key IS NOT NULL;
CREATE INDEX access_grants_identity ON access_grants (workspace_id, user_identity_id);
CREATE INDEX access_grants_customer ON access_grants (workspace_id, customer_key, created_at, access_grant_id)
  WHERE customer_key IS NOT NULL;
CREATE INDEX access_grants_in_order ON access_grants (workspace_id, created_at, access_grant_id);
CREATE TABLE access_grant_devices (
  workspace_id TEXT NOT NULL,
  access_grant_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, access_grant_id, device_id)
);
CREATE INDEX access_grant_devices_device ON access_grant_devices (workspace_id, device_id);
CREATE TABLE access_grant_spaces (
  workspace_id TEXT NOT NULL,
  access_grant_id TEXT NOT NULL,
  space_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, access_grant_id, space_id)
);
CREATE INDEX access_grant_spaces_space ON access_grant_spaces (workspace_id, space_id);

-- One for each requested method of a grant. Of mode `code`: one PIN, and a code on each of the grant's doors.
CREATE TABLE access_methods (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  access_method_id TEXT NOT NULL,
  access_grant_id TEXT NOT NULL,
  request_number INTEGER NOT NULL,
  mode TEXT NOT NULL,
  code_sealed TEXT,
  is_wanted INTEGER NOT NULL,
  issued_at BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, access_method_id)
);
CREATE INDEX access_methods_grant ON access_methods (workspace_id, access_grant_id, created_at, access_method_id);
CREATE INDEX access_methods_in_order ON access_methods (workspace_id, created_at, access_method_id);
ALTER TABLE access_codes ADD COLUMN access_method_id TEXT;
CREATE INDEX access_codes_method ON access_codes (workspace_id, access_method_id) WHERE access_method_id IS NOT NULL;
ALTER TABLE events ADD COLUMN access_grant_id TEXT;
ALTER TABLE events ADD COLUMN access_method_id TEXT;
CREATE INDEX events_grant ON events (workspace_id, access_grant_id, created_at) WHERE access_grant_id IS NOT NULL;
CREATE INDEX events_method ON events (workspace_id, access_method_id, created_at) WHERE access_method_id IS NOT NULL;
