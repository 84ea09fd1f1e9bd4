-- A publishable key is no secret: it gives no more time to a session that an API key has given something, or its end.
-- Of sessions that were there before it is not known who gave them what they hold.
ALTER TABLE client_sessions ADD COLUMN is_bound INTEGER NOT NULL DEFAULT 0;
UPDATE client_sessions SET is_bound = 1
WHERE customer_key IS NOT NULL OR user_identity_id IS NOT NULL
  OR EXISTS (
    SELECT 1 FROM client_session_accounts g
    WHERE g.workspace_id = client_sessions.workspace_id AND g.client_session_id = client_sessions.client_session_id
  )
  OR EXISTS (
    SELECT 1 FROM client_session_webviews g
    WHERE g.workspace_id = client_sessions.workspace_id AND g.client_session_id = client_sessions.client_session_id
  );
