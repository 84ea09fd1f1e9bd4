-- Keys and tokens can be taken back, and tell when they were last used (to within a minute).
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
ALTER TABLE api_keys ADD COLUMN revoked_at BIGINT;
ALTER TABLE personal_access_tokens ADD COLUMN last_used_at BIGINT;
ALTER TABLE personal_access_tokens ADD COLUMN revoked_at BIGINT;

-- A publishable key names its workspace and is no secret; it works while the workspace allows it.
ALTER TABLE workspaces ADD COLUMN publishable_key TEXT;
ALTER TABLE workspaces ADD COLUMN is_publishable_key_auth_enabled INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX workspaces_publishable_key ON workspaces (publishable_key) WHERE publishable_key IS NOT NULL;

-- What a part of an application that runs at an end user's may see: its own webviews and accounts, and what is below
-- them; with `customer_key` also all that is that customer's. `portal_json`: it is the customer's own page.
CREATE TABLE client_sessions (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  client_session_id TEXT NOT NULL,
  short TEXT NOT NULL,
  hash TEXT NOT NULL,
  token_sealed TEXT NOT NULL,
  user_identifier_key TEXT,
  customer_key TEXT,
  user_identity_id TEXT,
  portal_json TEXT,
  is_read_only INTEGER NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, client_session_id)
);
CREATE UNIQUE INDEX client_sessions_short ON client_sessions (short);
CREATE INDEX client_sessions_in_order ON client_sessions (workspace_id, created_at, client_session_id);
CREATE INDEX client_sessions_user ON client_sessions (workspace_id, user_identifier_key)
  WHERE user_identifier_key IS NOT NULL;
CREATE INDEX client_sessions_identity ON client_sessions (workspace_id, user_identity_id)
  WHERE user_identity_id IS NOT NULL;
CREATE TABLE client_session_accounts (
  workspace_id TEXT NOT NULL,
  client_session_id TEXT NOT NULL,
  connected_account_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, client_session_id, connected_account_id)
);
CREATE INDEX client_session_accounts_account ON client_session_accounts (workspace_id, connected_account_id);
CREATE TABLE client_session_webviews (
  workspace_id TEXT NOT NULL,
  client_session_id TEXT NOT NULL,
  connect_webview_id TEXT NOT NULL,
  PRIMARY KEY (workspace_id, client_session_id, connect_webview_id)
);
CREATE INDEX client_session_webviews_webview ON client_session_webviews (workspace_id, connect_webview_id);

-- What belongs to a customer is found by its key.
CREATE INDEX connected_accounts_customer ON connected_accounts (workspace_id, customer_key, created_at,
  connected_account_id) WHERE customer_key IS NOT NULL;
CREATE INDEX connect_webviews_customer ON connect_webviews (workspace_id, customer_key, created_at,
  connect_webview_id) WHERE customer_key IS NOT NULL;
