-- Whose access an event is about: the person of the grant. The column of the customer is filled for events of spaces and
-- grants, too, from now on. For those before, it follows from the thing, where that is still there.
ALTER TABLE events ADD COLUMN user_identity_id TEXT;
CREATE INDEX events_identity ON events (workspace_id, user_identity_id, created_at) WHERE user_identity_id IS NOT NULL;
UPDATE events SET customer_key = (
  SELECT s.customer_key FROM spaces s WHERE s.workspace_id = events.workspace_id AND s.space_id = events.space_id
) WHERE space_id IS NOT NULL AND customer_key IS NULL;
UPDATE events SET customer_key = (
  SELECT g.customer_key FROM access_grants g
  WHERE g.workspace_id = events.workspace_id AND g.access_grant_id = events.access_grant_id
), user_identity_id = (
  SELECT g.user_identity_id FROM access_grants g
  WHERE g.workspace_id = events.workspace_id AND g.access_grant_id = events.access_grant_id
) WHERE access_grant_id IS NOT NULL;
-- That all doors have access is told once, also if some door could not have it at first and leaves later.
ALTER TABLE access_grants ADD COLUMN granted_at BIGINT;
UPDATE access_grants SET granted_at = (
  SELECT MAX(m.issued_at) FROM access_methods m
  WHERE m.workspace_id = access_grants.workspace_id AND m.access_grant_id = access_grants.access_grant_id
) WHERE warnings_json NOT LIKE '%device_does_not_support_access_codes%' AND NOT EXISTS (
  SELECT 1 FROM access_methods m
  WHERE m.workspace_id = access_grants.workspace_id AND m.access_grant_id = access_grants.access_grant_id
    AND m.is_wanted = 1 AND m.issued_at IS NULL
);
