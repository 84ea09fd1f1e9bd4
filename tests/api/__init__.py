"""The API, over ASGI in process, on both databases."""
