-- Values are searched, not the JSON they stand in, and numbers of metadata are written in one way: the index is filled
-- anew (see store/migrate.py).
INSERT INTO search_index (search_index) VALUES ('delete-all');
DELETE FROM search_rows;
