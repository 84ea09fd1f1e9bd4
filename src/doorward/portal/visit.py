"""One opened page: whose it is, and what it may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec

from doorward.api.dispatch import Api
from doorward.api.request import Caller
from doorward.api.route import File
from doorward.core.context import Core
from doorward.core.portals import Portal
from doorward.errors import DeviceNotFound, Forbidden
from doorward.store.client_sessions import SessionRow
from doorward.store.workspaces import WorkspaceRow


@dataclass(frozen=True)
class Visit:
    """A portal that somebody has open."""

    core: Core
    api: Api
    caller: Caller
    base: str
    """This server's address."""
    row: SessionRow
    workspace: WorkspaceRow
    portal: Portal
    token: str
    asked: Mapping[str, str]
    """The address's query."""

    async def ask(self, path: str, **values: Any) -> Any:
        """What the API answers to the customer's session; what is None is not sent. Raises ApiError."""
        route = self.api.find(path)
        assert route is not None
        if not any(letter in route.auth for letter in self.caller.letters):
            raise Forbidden("This page is for looking only.")
        sent = {name: value for name, value in values.items() if value is not None}
        reply = await self.api.perform(route, self.caller, sent, self.base)
        assert not isinstance(reply, File)
        return msgspec.json.decode(msgspec.json.encode(reply or {}))

    async def device(self, device_id: str) -> Any:
        """A device that this portal shows. Raises DeviceNotFound."""
        if not device_id:
            raise DeviceNotFound
        found = await self.ask("/devices/list", device_ids=[device_id], custom_metadata_has=self.metadata)
        if not found["devices"]:
            raise DeviceNotFound(data={"device_id": device_id})
        return found["devices"][0]

    @property
    def metadata(self) -> Mapping[str, str | bool] | None:
        """As lists of accounts and devices take it."""
        return self.portal.metadata or None

    @property
    def may_change(self) -> bool:
        return not self.row.is_read_only

    @property
    def pages(self) -> list[str]:
        """The pages that it has."""
        shown = {
            "devices": self.portal.manages,
            "bookings": self.portal.books,
            "places": self.portal.organizes,
            "accounts": self.portal.connects,
        }
        return [name for name, is_shown in shown.items() if is_shown]

    def address(self, **query: str | None) -> str:
        """Another page of this portal, as seen from any of them."""
        sent = {"portal_id": self.row.short, "auth_token": self.token, **query}
        return f"view?{urlencode({name: value for name, value in sent.items() if value})}"
