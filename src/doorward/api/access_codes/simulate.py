"""`/access_codes/simulate/*`: what others do at a virtual device of a sandbox workspace."""

from typing import Annotated, Any

from doorward.api.access_codes.shared import Name
from doorward.api.params import Form, Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import access_codes as rules
from doorward.core import devices, found_codes, pins, problems
from doorward.errors import DuplicateAccessCode, InvalidInput
from doorward.providers.base import ActsAsOwner, Link
from doorward.providers.errors import DuplicateCode, ProviderError, Unsupported
from doorward.providers.reports import FoundCode
from doorward.store import access_codes as store
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow
from doorward.wire.access_code import UnmanagedAccessCode

WAIT_S = 10.0
"""For the device."""


class CreateUnmanaged(Params):
    """Parameters of create_unmanaged_access_code."""

    code: Annotated[str, Form(r"^[0-9]{4,8}$", "Must be 4 to 8 digits")]
    """Its PIN."""
    device_id: Id
    """The device."""
    name: Name
    """Its name."""


@route("/access_codes/simulate/create_unmanaged_access_code", auth="AC", returns={"access_code": UnmanagedAccessCode})
async def create_unmanaged_access_code(req: Request, p: CreateUnmanaged) -> dict[str, Any]:
    """Have somebody add an access code at a virtual device, past this API."""
    req.must_be_sandbox()
    device = await devices.get(req.db, req.workspace_id, p.device_id)
    pins.check_pin(p.code, pins.takes_codes(device))
    await req.write(_must_be_free, req, device, p.code)

    async def question(link: Link) -> FoundCode:
        if not isinstance(link, ActsAsOwner):
            raise Unsupported("What others do at this device cannot be simulated.")
        return await link.add_foreign_code(device.ref, p.name, p.code)

    try:
        found = await req.commands.ask(device, question, WAIT_S)
    except DuplicateCode as error:
        raise DuplicateAccessCode(error.message, data={"device_id": device.device_id}) from error
    except ProviderError as error:
        raise problems.api_error(error, device.device_id) from error
    # The device tells of it, too: whoever stores it first, it is one code with one event.
    await req.write(found_codes.store_found, req.core, device, [found], is_first=False)
    row = await store.find_by_ref(req.db, req.workspace_id, device.device_id, found.ref.lower())
    seen = await store.see(req.db, req.workspace_id, row.access_code_id) if row else None
    if seen is None:
        raise InvalidInput("The access code was removed again in the same moment")
    return {"access_code": found_codes.wire(req.core, seen)}


async def _must_be_free(tx: Tx, req: Request, device: DeviceRow, pin: str) -> None:
    await rules.refuse_duplicate(tx, device, pins.pin_hash(req.core, device, pin), None, None)
