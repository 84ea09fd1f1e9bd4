"""The device's part of choosing its access switch: asked before the choice is stored, and read again after it."""

from doorward.api.request import Request
from doorward.core import devices as rules
from doorward.core import problems
from doorward.errors import InvalidInput
from doorward.providers.base import ChoosesSwitch, Link, SwitchChosen
from doorward.providers.errors import ProviderError, Unsupported
from doorward.providers.reports import DeviceReport
from doorward.store import devices as store

WAIT_S = 10.0
"""For the device."""
PLACE = ("properties", "two_n_metadata", "door_switch")


async def ask(req: Request, device_id: str, number: int) -> SwitchChosen:
    """Whether the device has this switch, from itself: what it once said is not believed, since a wrong number would
    open another door, or none. So a device that is away cannot be given another switch.

    Raises: InvalidInput when it has not, or is of another brand; DeviceIsOffline and its like.
    """
    device = await rules.get(req.db, req.workspace_id, device_id)

    async def question(link: Link) -> SwitchChosen:
        if not isinstance(link, ChoosesSwitch):
            raise Unsupported("This device has no door_switch to choose.")
        return await link.choose_switch(device.ref, number)

    try:
        return await req.commands.ask(device, question, WAIT_S)
    except Unsupported as error:
        raise _wrong(error.message) from error
    except ProviderError as error:
        raise problems.api_error(error, device_id) from error


def _wrong(text: str) -> InvalidInput:
    tree: dict[str, object] = {"_errors": [text]}
    for name in reversed(PLACE):
        tree = {"_errors": [], name: tree}
    return InvalidInput(text, problems=tree)


async def settle(req: Request, device_id: str) -> None:
    """Have the link renewed, and the device read over it. If it does not answer now, its watcher reads it later."""
    device = await store.get(req.db, req.workspace_id, device_id)
    if device is None:
        return

    async def question(link: Link) -> DeviceReport:
        return await link.read_device(device.ref)

    try:
        fresh = await req.commands.ask(device, question, WAIT_S)
    except ProviderError:
        return
    await req.write(rules.report, req.core, req.workspace_id, device_id, fresh)
