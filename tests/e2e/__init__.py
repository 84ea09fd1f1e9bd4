"""The server as a process, driven by what people drive it with: SDKs, a browser, curl, signals."""
