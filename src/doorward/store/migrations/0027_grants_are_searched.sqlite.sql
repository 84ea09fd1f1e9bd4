-- Access grants are searched, too: the index is filled anew (see store/migrate.py).
INSERT INTO search_index (search_index) VALUES ('delete-all');
DELETE FROM search_rows;
