-- Whether a webview's caller said how new devices are to be managed: else an account that is connected again keeps its own.
ALTER TABLE connect_webviews ADD COLUMN is_management_said INTEGER NOT NULL DEFAULT 0;
