-- Access grants without a key can be listed by themselves.
CREATE INDEX access_grants_keyless ON access_grants (workspace_id, created_at, access_grant_id)
  WHERE access_grant_key IS NULL;
