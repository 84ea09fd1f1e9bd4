-- Customer portals that have ended are looked for when another one is made.
CREATE INDEX client_sessions_portals ON client_sessions (workspace_id, expires_at) WHERE portal_json IS NOT NULL;
