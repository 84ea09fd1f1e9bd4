-- Linked codes are found by their common key.
CREATE INDEX access_codes_common_key ON access_codes (workspace_id, common_code_key)
  WHERE common_code_key IS NOT NULL;
