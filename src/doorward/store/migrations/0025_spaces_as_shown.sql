-- What is shown of every space in a list: how many devices are in it, and the key of the one that it is in.
ALTER TABLE spaces ADD COLUMN device_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE spaces ADD COLUMN parent_space_key TEXT;
UPDATE spaces SET
  device_count = (
    SELECT COUNT(*) FROM space_devices m WHERE m.workspace_id = spaces.workspace_id AND m.space_id = spaces.space_id
  ),
  parent_space_key = (
    SELECT p.space_key FROM spaces p WHERE p.workspace_id = spaces.workspace_id AND p.space_id = spaces.parent_space_id
  );
