-- How far something of a device was read: `name` says what, `value` is the driver's own text.
CREATE TABLE bookmarks (
  workspace_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (workspace_id, device_id, name)
);

-- A device that is reached directly is the same one in whichever account it is.
CREATE INDEX devices_provider ON devices (workspace_id, provider, ref);
