"""The floor: a bare ASGI application that SELECTs stored bytes by id, on uvicorn with the server's own loop settings.

usage: python bench/bare.py PORT FILE (a SQLite file with a table `stored (id TEXT PRIMARY KEY, body BLOB)`)
"""

import json
import sqlite3
import sys
from typing import Any

import uvicorn


def make(path: str) -> Any:
    """The application."""
    con = sqlite3.connect(path, isolation_level=None)

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        row = None
        if body:
            row = con.execute("SELECT body FROM stored WHERE id = ?", (json.loads(body)["device_id"],)).fetchone()
        status, found = (200, row[0]) if row else (404 if body else 200, b'{"ok":true}')
        headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(found))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": found})

    return app


if __name__ == "__main__":
    uvicorn.run(
        make(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
    )
