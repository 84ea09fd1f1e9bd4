from .probe import probe


async def discover(ranges, *, allowed, timeout=6, known=()):
    return [await probe(x.strip(), allowed=allowed) for x in (ranges.items if ranges else [])]
