"""`make demo` walks the guide and leaves nothing behind."""

import subprocess
import sys
import tempfile
from pathlib import Path

from doorward.demo import clean_environment


def test_the_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "doorward.demo"],
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert done.stdout.count("✓") >= 12
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == [], "left behind"
    assert tempfile.gettempdir() not in done.stdout
