"""The bench: Doorward beside the official fake and a bare ASGI app, in one run."""
