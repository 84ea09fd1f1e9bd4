"""Which of a device's switches stands for its door.

The choice is part of the device's stored login, so it and the login can only be changed together: whoever opens a link
after it uses the new switch, and links that are open are renewed. If the process dies before the change is written,
the old switch stays; after it, the next start uses the new one.
"""

from typing import Any

from doorward.core import devices
from doorward.core.accounts import LINKS
from doorward.core.context import Core
from doorward.errors import DeviceLoginMissing
from doorward.providers.base import SwitchChosen
from doorward.store.db import Tx
from doorward.store.devices import DeviceRow


def chosen(tx: Tx, core: Core, row: DeviceRow, choice: SwitchChosen) -> dict[str, Any]:
    """The columns that change with it. That another door is now shown is no movement: no event tells of it.

    Raises: DeviceLoginMissing when the device was logged out meanwhile.
    """
    if row.secret_sealed is None:
        raise DeviceLoginMissing(data={"device_id": row.device_id})
    tx.after_commit(lambda: core.wake.ring(LINKS))
    # Into the login as it is now: it may have been renewed while the device was asked.
    secret = {**core.vault.open_json(row.secret_sealed, devices.LOGIN), **choice.secret}
    return {
        **devices.fields_of(choice.report, row.warnings_json, core.clock.now()),
        "online": row.online,
        "secret_sealed": core.vault.seal_json(secret, devices.LOGIN),
    }
