-- What a device reported and no event of Seam's has a word for. Bounded: a week, and so many rows a device.
-- `data_json` holds no PIN, no card's number and no pressed key.
CREATE TABLE device_log (
  workspace_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  event_key TEXT NOT NULL,
  name TEXT NOT NULL,
  occurred_at BIGINT NOT NULL,
  data_json TEXT NOT NULL,
  PRIMARY KEY (workspace_id, device_id, event_key)
);
CREATE INDEX device_log_in_order ON device_log (workspace_id, device_id, occurred_at, event_key);
-- What is old is dropped across all workspaces.
CREATE INDEX device_log_by_age ON device_log (occurred_at);
CREATE INDEX seen_device_events_by_age ON seen_device_events (occurred_at);
