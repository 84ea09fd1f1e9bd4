"""Access codes as entries of a 2N directory.

A code is one directory user: its UUID is chosen by us, its `owner` tag says that it is ours, its PIN is in
`access.pin`, its times in `access.validFrom` and `access.validTo`. Entries with another tag, or none, belong to
people or to other systems, and are only ever read.

Source: HTTP API manual, api/dir; entries leave out default values, and each entry of a write has its own outcome.
"""

from typing import Any

from doorward.providers.base import CodeRejected, FoundCode, NoRoom, ProviderError, Refused, Unsupported, WantedCode
from doorward.providers.my_2n_first.client import Client

FIELDS = ["name", "owner", "deleted", "access.pin", "access.validFrom", "access.validTo"]
NAME_MOST = 63
PAGES_MOST = 1000
_FULL = ("FULL", "LIMIT", "CAPACITY", "SPACE", "MEMORY", "TOO_MANY")


def owner_tag(workspace_id: str) -> str:
    """What marks a workspace's entries on a device."""
    return "doorward-" + workspace_id.replace("-", "")[-12:]


def device_name(name: str) -> str:
    """A name as the device takes it: no `<`, `>` or `/`, not too long."""
    clean = "".join(" " if c in "<>/" or not c.isprintable() else c for c in name).strip()
    return clean[:NAME_MOST].strip() or "Access code"


def _seconds(at: int | None) -> str:
    return "0" if at is None else str(at // 1000)


def _millis(text: Any) -> int | None:
    try:
        seconds = int(text)
    except (TypeError, ValueError):
        return None
    return seconds * 1000 if seconds > 0 else None


def found_code(user: dict[str, Any], owner: str) -> FoundCode:
    """An entry as a code."""
    access = user.get("access") if isinstance(user.get("access"), dict) else {}
    assert isinstance(access, dict)
    tag = str(user.get("owner") or "")
    pin = access.get("pin")
    return FoundCode(
        ref=str(user.get("uuid", "")).lower(),
        is_ours=tag == owner,
        name=str(user.get("name") or ""),
        pin=str(pin) if pin else None,
        starts_at=_millis(access.get("validFrom")),
        ends_at=_millis(access.get("validTo")),
        owner=tag,
    )


def entry(code: WantedCode, owner: str) -> dict[str, Any]:
    """A code as an entry."""
    return {
        "uuid": code.ref,
        "name": device_name(code.name),
        "owner": owner,
        "access": {"pin": code.pin, "validFrom": _seconds(code.starts_at), "validTo": _seconds(code.ends_at)},
    }


def holds(found: FoundCode, code: WantedCode) -> bool:
    """The device has exactly this (times to the second)."""
    return (
        found.name == device_name(code.name)
        and found.pin == code.pin
        and _seconds(found.starts_at) == _seconds(code.starts_at)
        and _seconds(found.ends_at) == _seconds(code.ends_at)
    )


async def read_all(client: Client, owner: str) -> list[FoundCode]:
    """Every entry with a PIN, and every one of ours. Raises rather than return a part."""
    users: dict[str, dict[str, Any]] = {}
    series: str | None = None
    since = 0
    for _ in range(PAGES_MOST):
        body: dict[str, Any] = {"fields": FIELDS}
        if series is not None:
            body |= {"series": series, "iterator": {"timestamp": since}}
        result = await client.directory("POST", "dir/query", body)
        if not isinstance(result, dict) or not isinstance(result.get("users", []), list):
            raise Refused("The device's directory answered something that is not a list.")
        if series is not None and str(result.get("series")) != series:
            raise Refused("The device's directory was replaced while it was read.")
        series = str(result.get("series"))
        page = [u for u in result.get("users", []) if isinstance(u, dict) and u.get("uuid")]
        newest = max((int(u.get("timestamp") or 0) for u in page), default=since)
        for user in page:
            users[str(user["uuid"]).lower()] = user
        if not page or newest <= since:
            break
        since = newest
        if newest >= int(result.get("timestamp") or 0):
            break
    else:
        raise Refused("The device's directory has no end.")
    live = [found_code(u, owner) for u in users.values() if not u.get("deleted")]
    return [f for f in live if f.pin is not None or f.is_ours]


async def read_one(client: Client, ref: str, owner: str) -> FoundCode | None:
    """One entry; None when there is none."""
    result = await client.directory("POST", "dir/get", {"users": [{"uuid": ref}], "fields": FIELDS})
    for user in _users(result):
        if user.get("errors") or user.get("deleted"):
            continue
        if str(user.get("uuid", "")).lower() == ref.lower():
            return found_code(user, owner)
    return None


def _users(result: Any) -> list[dict[str, Any]]:
    users = result.get("users") if isinstance(result, dict) else None
    return [u for u in users if isinstance(u, dict)] if isinstance(users, list) else []


def outcome(result: Any) -> str | None:
    """The error code of a write's only entry; None when it was done. `success` says nothing about entries."""
    users = _users(result)
    if not users:
        raise Refused("The device did not say what became of the directory entry.")
    errors = users[0].get("errors")
    if not errors:
        return None
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    return f"{first.get('code', 'unknown')} {first.get('field', '')}".strip()


def refusal(error: str) -> ProviderError:
    """The exception of an entry's error. The words are the device's; they hold no PIN."""
    code, _, where = error.partition(" ")
    if code == "EDIR_FIELD_VALUE_ERROR":
        if where.startswith("access.pin"):
            return CodeRejected("The device does not accept this PIN. It may be in use there, or too short.", code=code)
        return CodeRejected(f"The device does not accept the code's {where or 'values'}.", code=code)
    if code in ("EDIR_FIELD_NOT_AVAILABLE", "EDIR_FIELD_NAME_UNKNOWN"):
        return Unsupported(f"This model has no {where or 'such field'} in its directory.", code=code)
    if any(word in code.upper() for word in _FULL):
        return NoRoom("The device's directory is full.", code=code)
    return Refused(f"The device refused the directory entry ({code}).", code=code)
