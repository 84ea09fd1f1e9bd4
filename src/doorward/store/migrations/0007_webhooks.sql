-- Where events go. `old_secret_sealed` signs beside the other until `old_secret_until`. `failing_since`: the first
-- failure after the last success; `disabled_at`: it failed for too long, and gets nothing more until it is changed.
CREATE TABLE webhooks (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  webhook_id TEXT NOT NULL,
  url TEXT NOT NULL,
  event_types_json TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  old_secret_sealed TEXT,
  old_secret_until BIGINT NOT NULL,
  failing_since BIGINT,
  disabled_at BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, webhook_id)
);

-- Events of workspaces with webhooks that are not sorted into deliveries yet, in the order of their ids.
CREATE TABLE outbox (
  workspace_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  PRIMARY KEY (workspace_id, event_id)
);

-- One event for one webhook. `state`: due, done (the receiver took it) or given_up. `tries_json`: what came of each try.
CREATE TABLE deliveries (
  workspace_id TEXT NOT NULL REFERENCES workspaces (workspace_id),
  webhook_id TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  tries_json TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, delivery_id)
);
CREATE INDEX deliveries_due ON deliveries (workspace_id, webhook_id, due_at, delivery_id) WHERE state = 'due';
CREATE INDEX deliveries_in_order ON deliveries (workspace_id, webhook_id, delivery_id);
CREATE INDEX deliveries_old ON deliveries (created_at) WHERE state <> 'due';
