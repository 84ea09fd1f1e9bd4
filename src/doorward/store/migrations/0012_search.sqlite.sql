-- What lists are searched for: see store/search.py. Within a table, rows are numbered in the order they were made in.
-- The functions search_words, search_pairs and folded are ours: see store/sqlite.py.
CREATE TABLE search_rows (
  text_id INTEGER PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  pairs TEXT NOT NULL
);
CREATE UNIQUE INDEX search_rows_id ON search_rows (workspace_id, kind, id);
CREATE VIRTUAL TABLE search_index USING fts5 (words, tokenize = 'ascii', detail = 'none', content = '', columnsize = 0);
INSERT INTO search_index (search_index, rank) VALUES ('usermerge', 2);

INSERT INTO search_rows (workspace_id, kind, id, text, pairs)
  SELECT workspace_id, 'connect_webviews', connect_webview_id, folded(connect_webview_id
      || ' ' || accepted_providers_json
      || ' ' || custom_metadata_json
      || COALESCE(' ' || customer_key, '')),
    search_pairs(custom_metadata_json)
  FROM (SELECT * FROM connect_webviews ORDER BY created_at, connect_webview_id)
  UNION ALL SELECT workspace_id, 'connected_accounts', connected_account_id, folded(connected_account_id
      || ' ' || provider
      || COALESCE(' ' || customer_key, '')
      || ' ' || custom_metadata_json
      || ' ' || user_identifier_json),
    search_pairs(custom_metadata_json)
  FROM (SELECT * FROM connected_accounts ORDER BY created_at, connected_account_id)
  UNION ALL SELECT workspace_id, 'devices', device_id, folded(device_id
      || ' ' || connected_account_id
      || COALESCE(' ' || nickname, '')
      || ' ' || name
      || ' ' || custom_metadata_json),
    search_pairs(custom_metadata_json)
  FROM (SELECT * FROM devices ORDER BY created_at, device_id)
  UNION ALL SELECT workspace_id, 'spaces', space_id, folded(space_id
      || ' ' || name
      || COALESCE(' ' || space_key, '')),
    '[]'
  FROM (SELECT * FROM spaces ORDER BY created_at, space_id)
  UNION ALL SELECT workspace_id, 'user_identities', user_identity_id, folded(user_identity_id
      || COALESCE(' ' || full_name, '')
      || COALESCE(' ' || email_address, '')
      || COALESCE(' ' || phone_number, '')
      || COALESCE(' ' || user_identity_key, '')),
    '[]'
  FROM (SELECT * FROM user_identities ORDER BY created_at, user_identity_id);

INSERT INTO search_index (rowid, words) SELECT text_id, search_words(workspace_id, kind, text, pairs) FROM search_rows;
