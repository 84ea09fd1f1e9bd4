"""What a server tells, as lines to read and to compare: `access_code.created door-1 guest`."""

import itertools
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from tests.support.server import World

WHO = (
    *("connect_webview_id", "connected_account_id", "device_id", "device_ids", "space_id", "access_grant_id"),
    *("access_grant_ids", "access_method_id", "access_code_id", "backup_access_code_id", "client_session_id"),
    *("action_attempt_id", "missing_device_ids"),
)
"""Members that name things, in the order in which a line shows them."""
WHAT = ("method", "code", "error_code", "device_name", "status", "connected_account_type")
"""Members that a line shows as they are."""


PATIENCE_S = 10.0
QUIET_S = 6
"""How long nothing more may come."""


class Told:
    """What is told from its making on: every event of the workspace, none left out."""

    def __init__(self, world: World, before: int) -> None:
        self.world = world
        self._before = before
        self._names: dict[str, str] = {}
        self.name(account=None)

    @classmethod
    async def begin(cls, world: World) -> "Told":
        told = cls(world, len(await world.events()))
        for number, device_id in enumerate(world.devices, 1):
            told.name(**{f"door-{number}": device_id})
        accounts = (await world.call("/connected_accounts/list"))["connected_accounts"]
        if len(accounts) == 1:
            told.name(account=accounts[0]["connected_account_id"])
        return told

    def name(self, **names: str | None) -> None:
        """Give things the names that lines show. What has no name is a `?` in a line."""
        self._names |= {thing: name for name, thing in names.items() if thing is not None}

    async def events(self) -> list[Any]:
        """What was told since the beginning; every event has what every event has, and time does not go back."""
        found = (await self.world.events())[self._before :]
        for earlier, later in itertools.pairwise(found):
            for moment in ("created_at", "occurred_at"):
                assert earlier[moment] <= later[moment], (moment, earlier, later)
        assert len({one["event_id"] for one in found}) == len(found)
        for one in found:
            assert one["workspace_id"] == self.world.workspace.workspace_id
            assert one["event_description"]
            assert one["occurred_at"] <= one["created_at"]
            if "device_id" in one:
                assert self._names.get(one["connected_account_id"]) == "account", one
        return found

    async def lines(self) -> list[str]:
        return [self.line(one) for one in await self.events()]

    def line(self, event: Any) -> str:
        """An event, with the names of what it is about. The account is left out beside a device."""
        words = [event["event_type"]]
        for member in WHO:
            if member not in event or (member == "connected_account_id" and "device_id" in event):
                continue
            ids = event[member] if isinstance(event[member], list) else [event[member]]
            shown = sorted(self._names.get(one, "?") for one in ids)
            words.append("+".join(shown) or "nothing")
        words += [str(event[member]) for member in WHAT if member in event]
        if isinstance(event.get("reason"), dict):
            words.append(event["reason"]["reason_code"])
        if event["event_type"] != "access_code.time_frame_changed" and "from" in event:
            words.append("→".join(str(*event[member].values()) for member in ("from", "to")))
        words += [one["mutation_code"] for one in event.get("requested_mutations", [])]
        words += _codes(event, "error")
        words += _codes(event, "warning")
        return " ".join(words)

    async def are(self, *lines: str) -> None:
        """Exactly this is told, in this order: sooner or later, and nothing after it."""
        await self._compare(list(lines), self.lines)

    async def are_in_any_order(self, *lines: str) -> None:
        """As `are`, of what happens at the same time."""

        async def found() -> list[str]:
            return sorted(await self.lines())

        await self._compare(sorted(lines), found)

    async def of(self, name: str, *lines: str) -> None:
        """As `are`, of what is about one thing: several doors are not one after the other."""

        async def found() -> list[str]:
            return [line for line in await self.lines() if name in line.split()]

        await self._compare(list(lines), found)

    async def _compare(self, wanted: list[str], look: Callable[[], Awaitable[list[str]]]) -> None:
        async def enough() -> bool:
            return len(await look()) >= len(wanted)

        with suppress(AssertionError):  # what is missing is seen below
            await self.world.eventually(enough, patience=PATIENCE_S)
        await self.world.pass_time(QUIET_S)
        found = await look()
        assert found == wanted, "\n".join(["told:", *found, "wanted:", *wanted])


def _codes(event: Any, kind: str) -> Iterable[str]:
    """Codes of the troubles that it carries."""
    for whose in ("access_code", "device", "connected_account"):
        for one in event.get(f"{whose}_{kind}s", []):
            yield f"{whose}:{one[f'{kind}_code']}"
