-- Of many deliveries few are given up, and those are asked for.
CREATE INDEX deliveries_given_up ON deliveries (workspace_id, webhook_id, delivery_id) WHERE state = 'given_up';
