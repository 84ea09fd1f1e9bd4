"""`dir/*`: the directory's functions. Each write waits for the host to keep it before it answers.

Source: HTTP API manual, api/dir.
"""

from typing import Any, Final

from . import errors
from .call import Call, Result
from .directory import Directory
from .errors import ApiError, invalid, missing

_QUERY: Final = "/api/dir/query"


async def _written(call: Call, reply: dict[str, Any], before: int) -> Result:
    await call.unit.directory_changed(before)
    return reply


def _users(call: Call) -> list[Any] | None:
    users = call.objects("users")
    limit = call.unit.quirks.max_entries_per_call
    if users is not None and limit is not None and len(users) > limit:
        raise ApiError(errors.TOO_BIG, param="users")
    return users


def _readable(call: Call, function: str) -> Directory:
    """The directory, or what `older-read` shows instead."""
    fault = call.unit.faults.take("older-read", f"/api/dir/{function}")
    return call.unit.directory if fault is None or fault.old is None else fault.old


def dir_template(call: Call) -> Result:
    """dir/template."""
    return call.unit.directory.template()


async def dir_create(call: Call) -> Result:
    """dir/create. `force` is taken from the query and from the body."""
    directory = call.unit.directory
    before = directory.timestamp
    users = _users(call)
    force = call.flag("force", False)
    if not users:
        return {"series": directory.series}
    return await _written(call, directory.create(users, force=force), before)


async def dir_update(call: Call) -> Result:
    """dir/update."""
    directory = call.unit.directory
    before = directory.timestamp
    users = _users(call)
    if users is None:
        raise missing("users")
    return await _written(call, directory.update(users), before)


async def dir_delete(call: Call) -> Result:
    """dir/delete, by UUIDs or by owner."""
    directory = call.unit.directory
    before = directory.timestamp
    users, owner = _users(call), call.params.get("owner")
    if users is not None and owner is not None:
        raise ApiError(errors.COLLISION, param="owner")
    if users is not None:
        return await _written(call, directory.delete(users), before)
    if owner is None:
        raise missing("users")
    return await _written(call, directory.delete_owner(owner), before)


def dir_get(call: Call) -> Result:
    """dir/get."""
    users = call.objects("users")
    if users is None:
        raise missing("users")
    return _readable(call, "get").get(users, call.names("fields"))


def dir_query(call: Call) -> Result:
    """dir/query."""
    series = call.body.get("series", call.params.get("series"))
    if series is not None and not isinstance(series, str):
        raise invalid("series")
    iterator = call.body.get("iterator") or {}
    since = iterator.get("timestamp", 0) if isinstance(iterator, dict) else None
    if not isinstance(since, int) or isinstance(since, bool) or since < 0:
        raise invalid("iterator")
    reply = _readable(call, "query").query(series, since, call.names("fields"))
    if call.unit.faults.take("no-users", _QUERY):
        del reply["users"]
    elif call.unit.faults.take("partial-read", _QUERY):
        reply["users"] = reply["users"][: len(reply["users"]) // 2]
    return reply
