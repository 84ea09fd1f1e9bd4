"""`make profile`: where the time of a request goes, by cProfile, in the event loop's thread and in the writer's.

usage: python bench/profile_request.py [CASE] [--seconds S] [--sort tottime|cumtime] [--lines N]
CASE: locks_get, devices_list, events_list, create, unlock. Figures are inflated by the profiler: read shares.
"""

import argparse
import contextlib
import cProfile
import pstats
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

NAMES = {
    "locks_get": "locks/get",
    "devices_list": "devices/list few",
    "events_list": "events/list few",
    "create": "access_codes/create",
    "unlock": "locks/unlock_door",
}


def serve(out: str, arguments: list[str]) -> None:
    """In the child: `doorward` under a profiler per thread."""
    from doorward import cli

    run_thread = threading.Thread.run

    def run(self: threading.Thread) -> None:
        if "writer" not in self.name:
            run_thread(self)
            return
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError:  # since Python 3.12 one thread alone can be profiled
            run_thread(self)
            return
        try:
            run_thread(self)
        finally:
            profile.disable()
            profile.dump_stats(out + ".writer")

    def stop(*_: object) -> None:
        raise SystemExit(0)

    threading.Thread.run = run  # type: ignore[method-assign]
    signal.signal(signal.SIGTERM, stop)
    sys.argv = ["doorward", *arguments]
    profile = cProfile.Profile()
    try:
        with contextlib.suppress(SystemExit):
            profile.runcall(cli.app)
    finally:
        profile.dump_stats(out + ".loop")


def main() -> None:
    """Set up as the bench does, run one case, print."""
    from bench import load
    from bench.run import QUICK, cases, field_of
    from doorward.demo import Server

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("case", nargs="?", default="locks_get", choices=sorted(NAMES))
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--sort", default="tottime", choices=("tottime", "cumtime"))
    options.add_argument("--lines", type=int, default=30)
    given = options.parse_args()
    case = next(c for c in cases() if c.name == NAMES[given.case] and c.target == "few")
    with field_of(QUICK) as made, tempfile.TemporaryDirectory() as folder:
        target = made.doorward("few", QUICK.few, QUICK.few_events)
        target.process.terminate()
        target.process.wait()
        server = Server(made.folder / "few")
        out = str(Path(folder) / "profile")
        words = ["serve", "--port", str(server.port), "--data-dir", str(server.data_dir)]
        server.process = subprocess.Popen(
            [sys.executable, str(HERE / "profile_request.py"), "--serve", out, *words], env=server.env
        )
        server.wait_until_healthy()
        result = load.run(
            server.url + case.path, target.key, case.bodies(target), connections=16, seconds=given.seconds
        )
        server.stop()
        print(f"{case.path}: {result.per_second:,.0f}/s under the profiler, {result.refused} answers not 200\n")
        for thread in ("loop", "writer"):
            path = Path(f"{out}.{thread}")
            if path.exists():
                print(f"---------------------------------------------------------------- {thread}")
                stats: Any = pstats.Stats(str(path))
                stats.sort_stats(given.sort).print_stats(given.lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], sys.argv[3:])
    else:
        main()
