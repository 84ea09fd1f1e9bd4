"""Runs a command in a network namespace of its own, after proving that nothing but loopback is there.

usage: unshare --net python cut_off.py REPORT COMMAND… (without root: unshare --map-root-user --net …)

Writes REPORT as JSON: `interfaces`, what a connection to somewhere else ends as (`errors`), and how many attempts to
leave loopback the kernel refused before the command (`proof`) and while it ran (`attempts`; None: it does not count
them). Ends with the command's exit code; with 3 when there is a way out. If it dies half way, the namespace goes with
its last process.
"""

import contextlib
import errno
import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses for documentation: they need a route as any other, and are nobody's if there should be one."""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def raise_loopback() -> None:
    """`ip link set lo up`, where `ip` need not be installed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def refused() -> int:
    """How often the kernel found no route, since the namespace was made."""
    total = 0
    with contextlib.suppress(OSError):
        names, values = [
            line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip: ")
        ]
        total += int(dict(zip(names, values, strict=True))["OutNoRoutes"])
    with contextlib.suppress(OSError):
        total += sum(
            int(line.split()[1])
            for line in Path("/proc/net/snmp6").read_text().splitlines()
            if line.startswith("Ip6OutNoRoutes")
        )
    return total


def attempt(family: socket.AddressFamily, address: str) -> str:
    """What a connection to an address ends as: the name of its error, or "connected"."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(2)
            sock.connect((address, 443))
    except OSError as exc:
        return errno.errorcode.get(exc.errno or 0, type(exc).__name__)
    return "connected"


def main() -> int:
    """Prove, run, report."""
    report, *command = sys.argv[1:]
    raise_loopback()
    found: dict[str, object] = {"interfaces": [name for _, name in socket.if_nameindex()]}
    before = refused()
    errors = found["errors"] = {address: attempt(family, address) for family, address in ELSEWHERE}
    proof = found["proof"] = refused() - before
    if errors[ELSEWHERE[0][1]] != "ENETUNREACH" or "connected" in errors.values():
        code = 3
    else:
        before = refused()
        code = subprocess.run(command, check=False).returncode
        found["attempts"] = refused() - before if proof else None
    Path(report).write_text(json.dumps(found))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
