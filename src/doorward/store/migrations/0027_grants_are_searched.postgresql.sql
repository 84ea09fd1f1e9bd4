-- Access grants are searched, too: the index is filled anew (see store/migrate.py).
DELETE FROM search_rows;
