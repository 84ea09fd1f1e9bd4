-- Secrets of a webhook that were replaced, the newest first: `[[sealed, until], …]`. Each signs until its time is over.
ALTER TABLE webhooks ADD COLUMN old_secrets_json TEXT NOT NULL DEFAULT '[]';
UPDATE webhooks SET old_secrets_json = '[["' || old_secret_sealed || '",' || old_secret_until || ']]'
  WHERE old_secret_sealed IS NOT NULL;
ALTER TABLE webhooks DROP COLUMN old_secret_sealed;
ALTER TABLE webhooks DROP COLUMN old_secret_until;

-- How many of its tries a delivery had when it was last asked for again: its pauses are counted from there.
ALTER TABLE deliveries ADD COLUMN earlier_tries INTEGER NOT NULL DEFAULT 0;
