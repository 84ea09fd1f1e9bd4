-- What lists are searched for: see store/search.py. The index of texts needs the extension pg_trgm, which comes with
-- PostgreSQL; where it is missing, or may not be made, searches read all texts.
CREATE TABLE search_rows (
  workspace_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  text TEXT NOT NULL,
  pairs TEXT[] NOT NULL,
  PRIMARY KEY (workspace_id, kind, id)
);

CREATE FUNCTION pg_temp.search_pairs(metadata TEXT) RETURNS TEXT[] LANGUAGE SQL AS $$
  SELECT COALESCE(array_agg(LEFT(key || '=' || CASE
    WHEN jsonb_typeof(value) <> 'number' THEN value #>> '{}'
    WHEN ABS(CAST(value #>> '{}' AS NUMERIC)) < 1e15 THEN '#' || TRUNC(CAST(value #>> '{}' AS NUMERIC))
    ELSE '#' END, 100)), '{}')
  FROM jsonb_each(CAST(metadata AS JSONB)) WHERE jsonb_typeof(value) <> 'null'
$$;

INSERT INTO search_rows (workspace_id, kind, id, text, pairs)
  SELECT workspace_id, 'connect_webviews', connect_webview_id, LOWER(connect_webview_id
      || ' ' || accepted_providers_json
      || ' ' || custom_metadata_json
      || COALESCE(' ' || customer_key, '')),
    pg_temp.search_pairs(custom_metadata_json)
  FROM connect_webviews
  UNION ALL SELECT workspace_id, 'connected_accounts', connected_account_id, LOWER(connected_account_id
      || ' ' || provider
      || COALESCE(' ' || customer_key, '')
      || ' ' || custom_metadata_json
      || ' ' || user_identifier_json),
    pg_temp.search_pairs(custom_metadata_json)
  FROM connected_accounts
  UNION ALL SELECT workspace_id, 'devices', device_id, LOWER(device_id
      || ' ' || connected_account_id
      || COALESCE(' ' || nickname, '')
      || ' ' || name
      || ' ' || custom_metadata_json),
    pg_temp.search_pairs(custom_metadata_json)
  FROM devices
  UNION ALL SELECT workspace_id, 'spaces', space_id, LOWER(space_id
      || ' ' || name
      || COALESCE(' ' || space_key, '')),
    CAST('{}' AS TEXT[])
  FROM spaces
  UNION ALL SELECT workspace_id, 'user_identities', user_identity_id, LOWER(user_identity_id
      || COALESCE(' ' || full_name, '')
      || COALESCE(' ' || email_address, '')
      || COALESCE(' ' || phone_number, '')
      || COALESCE(' ' || user_identity_key, '')),
    CAST('{}' AS TEXT[])
  FROM user_identities;

CREATE INDEX search_rows_pairs ON search_rows USING gin (pairs);
DO $$ BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  EXCEPTION WHEN OTHERS THEN NULL;
END $$;
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN
    CREATE INDEX search_rows_text ON search_rows USING gin (text gin_trgm_ops);
  END IF;
END $$;
