-- A list that is searched looks up the text of each of its rows: by a hash of its id, which is as near in a table of
-- millions as in a small one. The primary key compares three texts at each of its levels.
CREATE INDEX IF NOT EXISTS search_rows_by_id ON search_rows USING hash (id);
