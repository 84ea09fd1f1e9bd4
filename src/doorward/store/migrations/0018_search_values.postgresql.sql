-- Values are searched, not the JSON they stand in, and numbers of metadata are written in one way: the index is filled
-- anew (see store/migrate.py).
DELETE FROM search_rows;
