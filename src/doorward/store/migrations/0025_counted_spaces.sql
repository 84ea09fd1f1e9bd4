-- How many devices are in a space, kept where they are put in: lists show it of every row.
ALTER TABLE spaces ADD COLUMN device_count BIGINT NOT NULL DEFAULT 0;
UPDATE spaces SET device_count = (
  SELECT COUNT(*) FROM space_devices m WHERE m.workspace_id = spaces.workspace_id AND m.space_id = spaces.space_id
);
