-- What lists are searched for. The texts stand in an index of runs of three characters, by a number of their own.
CREATE TABLE search_rows (
  text_id INTEGER PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL
);
CREATE UNIQUE INDEX search_rows_id ON search_rows (workspace_id, kind, id);
CREATE VIRTUAL TABLE search_index USING fts5 (text, tokenize = 'trigram');

INSERT INTO search_rows (workspace_id, kind, id)
  SELECT workspace_id, 'connect_webviews', connect_webview_id FROM connect_webviews
  UNION ALL SELECT workspace_id, 'connected_accounts', connected_account_id FROM connected_accounts
  UNION ALL SELECT workspace_id, 'devices', device_id FROM devices
  UNION ALL SELECT workspace_id, 'spaces', space_id FROM spaces
  UNION ALL SELECT workspace_id, 'user_identities', user_identity_id FROM user_identities;

INSERT INTO search_index (rowid, text)
  SELECT s.text_id, LOWER(r.connect_webview_id || ' ' || r.accepted_providers_json || ' ' || r.custom_metadata_json
    || ' ' || COALESCE(r.customer_key, ''))
  FROM search_rows s JOIN connect_webviews r ON r.workspace_id = s.workspace_id AND r.connect_webview_id = s.id
  WHERE s.kind = 'connect_webviews';
INSERT INTO search_index (rowid, text)
  SELECT s.text_id, LOWER(r.connected_account_id || ' ' || r.provider || ' ' || COALESCE(r.customer_key, '') || ' '
    || r.custom_metadata_json || ' ' || r.user_identifier_json)
  FROM search_rows s JOIN connected_accounts r ON r.workspace_id = s.workspace_id AND r.connected_account_id = s.id
  WHERE s.kind = 'connected_accounts';
INSERT INTO search_index (rowid, text)
  SELECT s.text_id, LOWER(r.device_id || ' ' || r.connected_account_id || ' ' || COALESCE(r.nickname, '') || ' '
    || r.name || ' ' || r.custom_metadata_json)
  FROM search_rows s JOIN devices r ON r.workspace_id = s.workspace_id AND r.device_id = s.id
  WHERE s.kind = 'devices';
INSERT INTO search_index (rowid, text)
  SELECT s.text_id, LOWER(r.space_id || ' ' || r.name || ' ' || COALESCE(r.space_key, ''))
  FROM search_rows s JOIN spaces r ON r.workspace_id = s.workspace_id AND r.space_id = s.id
  WHERE s.kind = 'spaces';
INSERT INTO search_index (rowid, text)
  SELECT s.text_id, LOWER(r.user_identity_id || ' ' || COALESCE(r.full_name, '') || ' '
    || COALESCE(r.email_address, '') || ' ' || COALESCE(r.phone_number, '') || ' '
    || COALESCE(r.user_identity_key, ''))
  FROM search_rows s JOIN user_identities r ON r.workspace_id = s.workspace_id AND r.user_identity_id = s.id
  WHERE s.kind = 'user_identities';
