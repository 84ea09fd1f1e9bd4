-- Each kind of place, person and booking has keys of its own.
ALTER TABLE spaces ADD COLUMN kind TEXT NOT NULL DEFAULT 'space';
DROP INDEX spaces_key;
CREATE UNIQUE INDEX spaces_key ON spaces (workspace_id, space_key, kind) WHERE space_key IS NOT NULL;

ALTER TABLE user_identities ADD COLUMN kind TEXT NOT NULL DEFAULT 'user_identity';
DROP INDEX user_identities_key;
CREATE UNIQUE INDEX user_identities_key ON user_identities (workspace_id, user_identity_key, kind)
  WHERE user_identity_key IS NOT NULL;
-- Whose address and number must be their own is for the rules to say.
DROP INDEX user_identities_email;
CREATE INDEX user_identities_email ON user_identities (workspace_id, LOWER(email_address))
  WHERE email_address IS NOT NULL;
DROP INDEX user_identities_phone;
CREATE INDEX user_identities_phone ON user_identities (workspace_id, phone_number) WHERE phone_number IS NOT NULL;

-- A grant that is being deleted keeps its key to be known by, and has freed it for another one.
ALTER TABLE access_grants ADD COLUMN kind TEXT NOT NULL DEFAULT 'access_grant';
DROP INDEX access_grants_key;
CREATE UNIQUE INDEX access_grants_key ON access_grants (workspace_id, access_grant_key, kind)
  WHERE access_grant_key IS NOT NULL AND is_wanted = 1;
CREATE INDEX access_grants_any_key ON access_grants (workspace_id, access_grant_key)
  WHERE access_grant_key IS NOT NULL;
