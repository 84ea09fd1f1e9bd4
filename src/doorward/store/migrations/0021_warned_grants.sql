-- Grants that have warnings: few, and looked through after each look at a device that could not have their codes.
CREATE INDEX access_grants_warned ON access_grants (workspace_id) WHERE is_wanted = 1 AND warnings_json <> '[]';
