"""What the tests need from the system's packages is asked for by its name."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools/system-packages.sh"


def run(folder: Path, *names: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """On a machine that has nothing, as its root. The outcome, and the packages that apt-get was told to install."""
    programs = {
        "id": "echo 0",
        "env": 'shift; exec "$@"',
        "ls": "exit 1",
        "apt-get": f'all="$*"; case $all in *" install "*) echo "${{all##*-recommends }}" >"{folder}/asked" ;; esac',
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, *names], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )
    asked = folder / "asked"
    return done, asked.read_text() if asked.exists() else ""


@pytest.mark.parametrize(
    ("names", "packages"),
    [
        (["chromium", "curl", "postgresql"], "chromium curl postgresql"),
        (["node"], "nodejs npm"),
        (["curl", "chromium"], "curl chromium"),
    ],
)
def test_missing_programs_are_asked_for(tmp_path: Path, names: list[str], packages: str) -> None:
    done, asked = run(tmp_path, *names)
    assert asked.strip() == packages
    assert f"Missing: {packages}. On Debian or Ubuntu: sudo apt-get install {packages}" in done.stderr
    assert done.returncode == 0


def test_what_is_there_is_not_asked_for(tmp_path: Path) -> None:
    for name in ("google-chrome", "curl", "postgres"):
        (tmp_path / name).write_text("#!/bin/bash\n")
        (tmp_path / name).chmod(0o755)
    done, asked = run(tmp_path, "chromium", "curl", "postgresql")
    assert (done.returncode, done.stderr, asked) == (0, "", "")


def test_a_required_program_that_stays_missing_is_an_error(tmp_path: Path) -> None:
    done, _ = run(tmp_path, "--required", "node")
    assert done.returncode == 1
    assert "left out" not in done.stderr
    done, _ = run(tmp_path, "--optional", "wrk")
    assert done.returncode == 0
    assert done.stderr == ""
