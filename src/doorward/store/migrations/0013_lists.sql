-- Filters of lists that nothing led to.
CREATE INDEX devices_customer ON devices (workspace_id, customer_key, created_at, device_id)
  WHERE customer_key IS NOT NULL;
CREATE INDEX devices_manufacturer ON devices (workspace_id, manufacturer, created_at, device_id);
CREATE INDEX devices_type ON devices (workspace_id, device_type, created_at, device_id);
-- Who is watched is asked every few seconds.
CREATE INDEX devices_reached ON devices (workspace_id, device_id) WHERE secret_sealed IS NOT NULL;
CREATE INDEX action_attempts_device ON action_attempts (workspace_id, device_id, created_at, action_attempt_id);
CREATE INDEX events_webview ON events (workspace_id, connect_webview_id, created_at)
  WHERE connect_webview_id IS NOT NULL;
CREATE INDEX events_customer ON events (workspace_id, customer_key, created_at) WHERE customer_key IS NOT NULL;
CREATE INDEX events_type ON events (workspace_id, event_type, created_at);
