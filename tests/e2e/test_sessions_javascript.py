"""Client sessions and publishable keys with today's JavaScript SDK (`npm i seam`)."""

import json
import subprocess

from doorward.demo import Server, clean_environment

from .guide import NPM
from .test_restart import Caller


def test_a_browser_sees_what_is_its_users(node: str, server: Server, key: str) -> None:
    call = Caller(server)
    call.key = key
    devices = call.connect()
    env = {**clean_environment(), "SEAM_API_KEY": key, "SEAM_ENDPOINT": server.url}
    done = subprocess.run(
        [node, str(NPM / "session.mjs")], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "before": 0,
        "after": devices,
        "same": True,
        "attempt": "success",
        "methods": 1,
        "forbidden": {"unauthorized": True, "code": "unauthorized"},
        "foreign": {"unauthorized": False, "code": "device_not_found"},
        "revoked": {"unauthorized": True, "code": "unauthorized"},
    }
