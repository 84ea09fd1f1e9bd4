"""How each kind of fault is armed, and where it strikes.

The kinds come from the emulator itself, so a new one is met by this suite from its first day: one that is not in the
table is armed for a few requests, anywhere.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from doorward.providers.my_2n.emulator import Unit
from doorward.providers.my_2n.emulator.faults import KINDS

WRITES = ("dir/create", "dir/update", "dir/delete")
READS = ("dir/get", "dir/query", "dir/template", "system/", "switch/caps", "switch/status")
LOG = ("log/pull", "log/subscribe", "log/")
PATHS = (None, *WRITES, *READS, *LOG, "switch/ctrl")

NOT_HERE = frozenset[str]()
"""Kinds that this suite leaves out, each for a reason that is written beside it."""


@dataclass(frozen=True)
class Arm:
    """A fault to be armed; None: as the emulator has it."""

    kind: str
    path: str | None = None
    times: int | None = None
    seconds: float | None = None

    def __repr__(self) -> str:
        said = [f"{name}={value!r}" for name in ("path", "times", "seconds") if (value := getattr(self, name))]
        return f"Arm({', '.join([repr(self.kind), *said])})"

    def on(self, unit: Unit) -> None:
        """Arm it."""
        unit.faults.arm(self.kind, path=self.path, times=self.times, seconds=self.seconds)


def _arms(
    kind: str, paths: tuple[str | None, ...], times: st.SearchStrategy[int | None], *seconds: float | None
) -> st.SearchStrategy[Arm]:
    return st.builds(
        Arm,
        kind=st.just(kind),
        path=st.sampled_from(paths),
        times=times,
        seconds=st.sampled_from(seconds or (None,)),
    )


_FEW = st.integers(1, 3)
_FEW_OR_ALL = st.none() | _FEW

TABLE: dict[str, st.SearchStrategy[Arm]] = {
    "slow": _arms("slow", PATHS, _FEW_OR_ALL, 0.5, 3, 12, 30),
    "reply-lost": _arms("reply-lost", PATHS, _FEW_OR_ALL),
    "half-open": _arms("half-open", PATHS, _FEW, 2, 40, None),
    "refuse": _arms("refuse", PATHS, _FEW_OR_ALL),
    "stale-nonce": _arms("stale-nonce", PATHS, _FEW),
    "forget-nonces": _arms("forget-nonces", PATHS, _FEW),
    "http-500": _arms("http-500", PATHS, _FEW_OR_ALL),
    "truncate": _arms("truncate", PATHS, _FEW_OR_ALL),
    "directory-full": _arms("directory-full", (None, "dir/create"), _FEW_OR_ALL),
    # Strikes entries, not requests; without a number it is a device that minds its PINs.
    "duplicate-pin": _arms("duplicate-pin", (None, *WRITES[:2]), _FEW_OR_ALL),
}


def _any(kind: str) -> st.SearchStrategy[Arm]:
    return TABLE[kind] if kind in TABLE else _arms(kind, (None, *WRITES, *READS, *LOG), _FEW)


def arms() -> st.SearchStrategy[Arm]:
    """Any fault that the emulator knows."""
    return st.sampled_from(sorted(KINDS.keys() - NOT_HERE)).flatmap(_any)
