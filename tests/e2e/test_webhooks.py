"""Webhooks of a server in a process of its own: Seam's JavaScript helper verifies them, and no kill loses one."""

import http.server
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doorward.demo import Server, clean_environment

from .test_restart import Caller

NPM = Path(__file__).parent.parent / "npm"
SEED = int(os.environ.get("DOORWARD_STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
KILLS = 4


class Receiver:
    """An HTTP server on loopback that takes some events and refuses others."""

    def __init__(self, refuse: float = 0.0) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        chance = random.Random(SEED)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_taken = chance.random() >= refuse
                if is_taken:
                    outer.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204 if is_taken else 500)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass  # the server that was talking to us was killed

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def names(self) -> list[str]:
        """Of the devices that were renamed."""
        return [json.loads(body).get("device_name", "") for _, body in self.taken]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Caller]:
    """Calls to a server that may send to this machine, and tries again soon."""
    env = {"DOORWARD_WEBHOOK_ALLOW": "127.0.0.0/8", "DOORWARD_WEBHOOK_RETRIES": ",".join(["1s"] * 60)}
    server = Server(tmp_path / "data", env=env)
    server.start()
    try:
        yield Caller(server)
        assert "Traceback" not in server.log, server.log[-8000:]
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def test_seams_javascript_helper_verifies_an_event(call: Caller) -> None:
    receiver = Receiver()
    try:
        device_id = call.connect()[0]
        secret = call("/webhooks/create", url=receiver.url, event_types=["device.name_changed"])["webhook"]["secret"]
        call("/devices/update", device_id=device_id, name="Front door")
        call.until(lambda: bool(receiver.taken))
        headers, body = receiver.taken[0]
        for sent, good in ((body, True), (body.replace(b"Front", b"Back!"), False)):
            done = subprocess.run(
                ["node", "verify.mjs"],
                cwd=NPM,
                env=clean_environment(),
                input=json.dumps({"secret": secret, "body": sent.decode(), "headers": headers}),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert (done.returncode == 0) is good, done.stderr
            assert done.stdout.strip() == ("device.name_changed" if good else "")
    finally:
        receiver.close()


def test_no_event_that_was_answered_is_lost_by_kills(call: Caller) -> None:
    """Also with a receiver that refuses every third."""
    receiver, chance = Receiver(refuse=0.33), random.Random(SEED)
    print("seed", SEED)
    try:
        device_id = call.connect()[0]
        call("/webhooks/create", url=receiver.url, event_types=["device.name_changed"])
        answered: list[str] = []
        for kill in range(KILLS):
            end = time.monotonic() + chance.uniform(0.5, 2.0)
            while time.monotonic() < end:
                name = f"Name {kill} {len(answered)}"
                if call.raw("/devices/update", {"device_id": device_id, "name": name})["ok"]:
                    answered.append(name)
            call.server.kill()
            call.server.start()
        assert len(answered) > 50
        call.until(lambda: set(answered) <= set(receiver.names()), patience=60)
        ids = [headers["svix-id"] for headers, _ in receiver.taken]
        assert len(set(ids)) == len(set(receiver.names())), "a repeat has the same id"
    finally:
        receiver.close()
