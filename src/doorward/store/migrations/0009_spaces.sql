-- Places that devices and accounts are in. A device or account may be in several.
CREATE TABLE spaces (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  space_id TEXT NOT NULL,
  space_key TEXT,
  name TEXT NOT NULL,
  customer_key TEXT,
  customer_data_json TEXT,
  parent_space_id TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, space_id)
);
CREATE UNIQUE INDEX spaces_key ON spaces (workspace_id, space_key) WHERE space_key IS NOT NULL;
CREATE INDEX spaces_in_order ON spaces (workspace_id, created_at, space_id);
CREATE INDEX spaces_customer ON spaces (workspace_id, customer_key, created_at, space_id)
  WHERE customer_key IS NOT NULL;
CREATE INDEX spaces_parent ON spaces (workspace_id, parent_space_id) WHERE parent_space_id IS NOT NULL;
CREATE TABLE space_devices (
  workspace_id TEXT NOT NULL,
  space_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, space_id, device_id)
);
CREATE INDEX space_devices_device ON space_devices (workspace_id, device_id, space_id);
CREATE TABLE space_accounts (
  workspace_id TEXT NOT NULL,
  space_id TEXT NOT NULL,
  connected_account_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, space_id, connected_account_id)
);
CREATE INDEX space_accounts_account ON space_accounts (workspace_id, connected_account_id, space_id);

-- A device's spaces, where it is shown; `space_devices` is what they are found by.
ALTER TABLE devices ADD COLUMN space_ids_json TEXT NOT NULL DEFAULT '[]';
ALTER TABLE events ADD COLUMN space_id TEXT;
CREATE INDEX events_space ON events (workspace_id, space_id, created_at) WHERE space_id IS NOT NULL;
