"""An intercom's directory as its owner sees it, and as its owner edits it."""

from typing import Any

from doorward.providers.my_2n.emulator import Unit


def codes(unit: Unit) -> dict[str, dict[str, Any]]:
    """What the intercom holds: the entry's UUID → name, PIN, times (unix seconds) and owner."""
    return {
        entry.uuid.lower(): {
            "name": entry.get("name"),
            "pin": entry.get("access.pin"),
            "from": int(entry.get("access.validFrom", "0")),
            "to": int(entry.get("access.validTo", "0")),
            "owner": entry.get("owner"),
        }
        for entry in unit.directory.live()
    }


def pins(unit: Unit) -> list[str]:
    """The PINs it lets in."""
    return sorted(one["pin"] for one in codes(unit).values() if one["pin"])


async def edit(unit: Unit, uuid: str, **fields: Any) -> None:
    """Somebody changes an entry at the device; `access` is nested as on the wire."""
    before = unit.directory.timestamp
    result = unit.directory.update([{"uuid": uuid, **fields}])["users"][0]
    assert "errors" not in result, result
    await unit.directory_changed(before)


async def add(unit: Unit, name: str, pin: str, owner: str = "") -> str:
    """Somebody adds a user at the device; the UUID."""
    before = unit.directory.timestamp
    result = unit.directory.create([{"name": name, "owner": owner, "access": {"pin": pin}}], force=False)["users"][0]
    assert "errors" not in result, result
    await unit.directory_changed(before)
    return str(result["uuid"])


async def add_many(unit: Unit, count: int, **fields: Any) -> list[str]:
    """Somebody adds users with PINs 700000, 700001 …; their UUIDs."""
    before = unit.directory.timestamp
    users = [{"name": f"User {n}", "access": {"pin": str(700_000 + n)}, **fields} for n in range(count)]
    results = unit.directory.create(users, force=False)["users"]
    await unit.directory_changed(before)
    return [str(one["uuid"]) for one in results]


async def remove(unit: Unit, uuid: str) -> None:
    """Somebody removes an entry at the device."""
    before = unit.directory.timestamp
    result = unit.directory.delete([{"uuid": uuid}])["users"][0]
    assert "errors" not in result, result
    await unit.directory_changed(before)
