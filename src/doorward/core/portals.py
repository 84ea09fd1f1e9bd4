"""Customer portals: a page where a customer sees and arranges what is theirs.

A portal is a client session with the customer's key, and a link to its page. The link's token is a keyed hash of the
session: it is not stored, opens the page and nothing else, and ends when the session does.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from doorward.core import client_sessions, customers
from doorward.core.context import Core
from doorward.core.customers import Data, Named
from doorward.errors import InvalidInput
from doorward.store import client_sessions as store
from doorward.store.client_sessions import SessionRow
from doorward.store.db import Tx
from doorward.store.workspaces import WorkspaceRow
from doorward.wire.customer_portal import CustomerPortal, MagicLink
from doorward.wire.time import iso

LIFETIME_MS = 24 * 3_600_000


class Portal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a portal shows."""

    connects: bool = True
    """Accounts, and how to connect one."""
    manages: bool = True
    """Devices and their codes."""
    books: bool = True
    """Access grants."""
    organizes: bool = True
    """Spaces, and what is in them."""
    tells_details: bool = True
    """What went wrong with an access grant."""
    accepted_providers: Sequence[str] | None = None
    excluded_providers: Sequence[str] = ()
    metadata: Mapping[str, str | bool] = {}
    """Only accounts and devices whose metadata has all of these."""
    space_id: str | None = None
    """The place to begin with."""
    access_grant_id: str | None = None
    """The booking to begin with."""
    device_id: str | None = None
    """The device to begin with."""
    is_embedded: bool = False
    """It may stand in other sites' frames."""
    has_navigation: bool = True


_decode = msgspec.json.Decoder(Portal).decode


@dataclass(frozen=True)
class Landing:
    """What a portal begins with, if it is there."""

    place: Named | None = None
    booking: Named | None = None


async def create(
    tx: Tx,
    core: Core,
    workspace: WorkspaceRow,
    customer_key: str,
    portal: Portal,
    landing: Landing,
    data: Data,
    *,
    is_read_only: bool,
) -> SessionRow:
    """A new portal; what is told of the customer is stored first. Raises ApiError, and then nothing of it is there."""
    if not (portal.connects or portal.manages or portal.books or portal.organizes):
        raise InvalidInput.of("features", "Must leave something in the portal")
    await store.delete_ended_portals(tx, workspace.workspace_id, core.clock.now())
    await customers.push(tx, core, workspace, customer_key, data)
    place = booking = None
    if landing.place is not None:
        place = await customers.place_named(tx, workspace.workspace_id, customer_key, landing.place)
    if landing.booking is not None:
        booking = await customers.booking_named(tx, workspace.workspace_id, customer_key, landing.booking)
    portal = msgspec.structs.replace(
        portal,
        space_id=place.space_id if place else None,
        access_grant_id=booking.access_grant_id if booking else None,
    )
    wish = client_sessions.Wish(
        customer_key=customer_key,
        expires_at=core.clock.now() + LIFETIME_MS,
        portal_json=msgspec.json.encode(portal).decode(),
        is_read_only=is_read_only,
    )
    return await client_sessions.create(tx, core, workspace.workspace_id, wish, is_again=False)


def token_of(core: Core, row: SessionRow) -> str:
    """What opens the portal's page."""
    return core.vault.digest("portal", row.workspace_id, row.client_session_id, row.hash)


async def open_portal(core: Core, portal_id: str, token: str) -> tuple[SessionRow, WorkspaceRow, Portal] | None:
    """The portal of this link; None: there is none, or it has ended."""
    found = await store.by_token(core.db.read, portal_id)
    if found is None or (portal_json := found[0].portal_json) is None:
        return None
    row, workspace = found
    if not hmac.compare_digest(token_of(core, row).encode(), token.encode()):
        return None
    if row.revoked_at is not None or row.expires_at <= core.clock.now():
        return None
    return row, workspace, _decode(portal_json)


def link(core: Core, row: SessionRow, base_url: str) -> str:
    """The address of the portal's page."""
    return f"{base_url}/portal/view?portal_id={row.short}&auth_token={token_of(core, row)}"


def wire(core: Core, row: SessionRow, base_url: str) -> dict[str, CustomerPortal]:
    """A portal as Seam shows it, by both of its names."""
    members = {
        "url": link(core, row, base_url),
        "customer_key": row.customer_key or "",
        "workspace_id": row.workspace_id,
        "expires_at": iso(row.expires_at),
        "created_at": iso(row.created_at),
    }
    return {"customer_portal": CustomerPortal(**members), "magic_link": MagicLink(**members)}
