-- A delivery is found by its webhook: no other index but that of those that are due. The outbox is kept in the order in
-- which it is sorted.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey;
ALTER TABLE deliveries ADD PRIMARY KEY (workspace_id, webhook_id, delivery_id);
DROP INDEX deliveries_in_order;
DROP INDEX deliveries_old;
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey;
ALTER TABLE outbox ADD PRIMARY KEY (event_id);
