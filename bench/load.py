"""Load: POST + JSON + Bearer over kept-alive connections, by wrk where it is installed, else by this file.

As a program: python bench/load.py FILE, FILE being JSON as `run` writes it; prints a `Result` as JSON.
`@PIN@` in a body becomes eight random digits.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LUA = """
local bodies = {}
for line in io.lines("%(bodies)s") do bodies[#bodies + 1] = line end
math.randomseed(os.time())
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer %(key)s"
wrk.headers["Content-Type"] = "application/json"
local pin = function() return string.format("%%08d", math.random(0, 99999999)) end
request = function()
  local body = bodies[math.random(#bodies)]:gsub("@PIN@", pin)
  return wrk.format(nil, nil, nil, body)
end
"""


@dataclass(frozen=True)
class Result:
    """What one run measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    refused: int
    """Answers that were not 200."""


def run(url: str, key: str, bodies: list[str], *, connections: int, seconds: float, tool: str = "auto") -> Result:
    """Load a route for a while, from a process of its own."""
    if tool == "wrk" or (tool == "auto" and shutil.which("wrk")):
        return _wrk(url, key, bodies, connections, seconds)
    job = {"url": url, "key": key, "bodies": bodies, "connections": connections, "seconds": seconds}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        done = subprocess.run([sys.executable, __file__, file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return Result(**json.loads(done.stdout))


def _wrk(url: str, key: str, bodies: list[str], connections: int, seconds: float) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder) / "bodies", Path(folder) / "load.lua"
        listed.write_text("\n".join(bodies) + "\n")
        script.write_text(LUA % {"bodies": listed, "key": key})
        whole = max(1, round(seconds))
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "20s", "--latency", "-s", str(script), url],
            capture_output=True,
            text=True,
            check=False,
            timeout=whole + 60,
        )
    text = done.stdout

    def number(pattern: str) -> float:
        found = re.search(pattern, text)
        return float(found[1]) if found else 0.0

    def latency(percent: str) -> float:
        found = re.search(rf"\b{percent}%\s+([\d.]+)(us|ms|s)\b", text)
        return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]] if found else float("nan")

    if "requests in" not in text:
        raise RuntimeError(f"wrk said: {text}{done.stderr}")
    return Result(
        per_second=number(r"Requests/sec:\s+([\d.]+)"),
        p50_ms=latency("50"),
        p99_ms=latency("99"),
        requests=int(number(r"(\d+) requests in")),
        refused=int(number(r"Non-2xx or 3xx responses: (\d+)")),
    )


async def _connection(job: dict[str, Any], end: float, took: list[float]) -> int:
    where = urlsplit(job["url"])
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {job['key']}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    refused = 0
    while (began := time.perf_counter()) < end:
        body = re.sub("@PIN@", lambda _: f"{random.randrange(10**8):08d}", random.choice(job["bodies"]))
        writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer)
        if length:
            await reader.readexactly(int(length[1]))
        else:
            while int((await reader.readline()).strip(), 16):  # chunked
                await reader.readuntil(b"\r\n")
            await reader.readline()
        took.append(time.perf_counter() - began)
        refused += not answer.startswith(b"HTTP/1.1 200")
    writer.close()
    return refused


async def _load(job: dict[str, Any]) -> Result:
    took: list[float] = []
    began = time.perf_counter()
    connections = [_connection(job, began + job["seconds"], took) for _ in range(job["connections"])]
    refused = sum(await asyncio.gather(*connections))
    seconds = time.perf_counter() - began
    took.sort()
    return Result(
        per_second=len(took) / seconds,
        p50_ms=took[len(took) // 2] * 1000,
        p99_ms=took[int(len(took) * 0.99)] * 1000,
        requests=len(took),
        refused=refused,
    )


if __name__ == "__main__":
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        print(json.dumps(asdict(runner.run(_load(json.loads(Path(sys.argv[1]).read_text()))))))
