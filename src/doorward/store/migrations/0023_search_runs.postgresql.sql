-- Texts are found by their runs, as in SQLite: see store/search.py. The index is filled anew (see store/migrate.py).
DELETE FROM search_rows;
ALTER TABLE search_rows ADD COLUMN runs INTEGER[] NOT NULL;
-- What was added lately is looked through by each search: it is sorted in when there are some 200 rows of it.
CREATE INDEX search_rows_runs ON search_rows USING gin (runs) WITH (gin_pending_list_limit = 1024);
