-- A delivery is written where its webhook's others are, once: no index but that of those that are due. The outbox is
-- kept in the order in which it is sorted.
CREATE TABLE deliveries_22 (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  webhook_id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  tries_json TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  earlier_tries INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, webhook_id, delivery_id)
) WITHOUT ROWID;
INSERT INTO deliveries_22
SELECT workspace_id, webhook_id, delivery_id, event_id, event_type, state, due_at, tries_json, created_at, earlier_tries
FROM deliveries ORDER BY workspace_id, webhook_id, delivery_id;
DROP TABLE deliveries;
ALTER TABLE deliveries_22 RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (workspace_id, webhook_id, due_at, delivery_id) WHERE state = 'due';

CREATE TABLE outbox_22 (
  workspace_id TEXT NOT NULL,
  event_id TEXT NOT NULL PRIMARY KEY,
  event_type TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO outbox_22 SELECT workspace_id, event_id, event_type FROM outbox ORDER BY event_id;
DROP TABLE outbox;
ALTER TABLE outbox_22 RENAME TO outbox;
