-- What an account says of its devices counts up their own versions: a list of devices needs no look at their accounts.
ALTER TABLE connected_accounts DROP COLUMN version;
