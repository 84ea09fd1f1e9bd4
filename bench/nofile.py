"""The number of sockets a process may open."""

import contextlib
import resource


def raise_limit() -> int:
    """As many as this process may have, for itself and what it starts; how many that are."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
