"""`/phones/*`: keys on phones, of which this server has none."""

from typing import Any, Literal

from doorward.api.absent import empty
from doorward.api.params import Id, Params, Part
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import user_identities
from doorward.errors import NotImplementedYet, PhoneNotFound
from doorward.wire.absent import Phone


class List(Params):
    """Parameters of list."""

    acs_credential_id: Id | None = None
    """Only those with this credential."""
    owner_user_identity_id: Id | None = None
    """Only those of this person."""


class One(Params):
    """Parameters of get and deactivate."""

    device_id: Id
    """The phone."""


class AssaAbloy(Part):
    """What the phone's key app can do."""

    application_version: str = "1.0.0"
    """Its version."""
    ble_capability: bool = True
    """It speaks Bluetooth."""
    hce_capability: bool = False
    """It can act as a card."""
    nfc_capability: bool = False
    """It speaks NFC."""
    seos_applet_version: str = "1.0.0"
    """The version of its Seos applet."""
    seos_tsm_endpoint_id: int = 1
    """Its number in the Seos service."""


class Hardware(Part):
    """What kind of phone it is."""

    device_manufacturer: str = "Samsung"
    """Who made it."""
    device_model: str = "Samsung Galaxy S10"
    """Which model it is."""
    operating_system: Literal["android", "ios"] = "android"
    """What runs on it."""
    os_version: str = "10"
    """The version of that."""


class CreateSandboxPhone(Params):
    """Parameters of create_sandbox_phone."""

    user_identity_id: Id
    """Whose phone it is."""
    assa_abloy_metadata: AssaAbloy | None = None
    """What the phone's key app can do."""
    custom_sdk_installation_id: Id | None = None
    """Your own name of the app on it."""
    phone_metadata: Hardware | None = None
    """What kind of phone it is."""


empty("/phones/list", "List phones", List, auth="A", phones=list[Phone])


@route("/phones/get", auth="A", returns={"phone": Phone}, has_none=True)
async def get(_req: Request, p: One) -> dict[str, Any]:
    """Get a phone: this server has none."""
    raise PhoneNotFound(data={"device_id": p.device_id})


@route("/phones/deactivate", auth="AC", methods=("POST", "DELETE"), has_none=True)
async def deactivate(_req: Request, p: One) -> None:
    """Take all keys from a phone: this server has none."""
    raise PhoneNotFound(data={"device_id": p.device_id})


@route("/phones/simulate/create_sandbox_phone", auth="A", returns={"phone": Phone}, has_none=True)
async def create_sandbox_phone(req: Request, p: CreateSandboxPhone) -> dict[str, Any]:
    """Make a virtual phone: this server has none, and answers 501."""
    await user_identities.get(req.db, req.workspace_id, p.user_identity_id)
    raise NotImplementedYet("This server has no phones, and no virtual ones either: nothing here takes a key on one.")
