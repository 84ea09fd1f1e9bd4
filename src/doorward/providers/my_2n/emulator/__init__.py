"""A virtual 2N IP intercom that speaks the 2N HTTP API as the hardware does.

What a driver sees is bytes on a connection: Digest logins, the JSON envelope, switches, the directory, the event log.
What a test or a simulation sees is a `Unit`: keys are pressed, cards shown, doors opened, power cut.

    running = await start_units(2)          # on loopback ports, in this process
    running.urls, running.units
    await running.close()

    unit = Unit(VERSO, serial="54-9001-0042", accounts=[Account("jane", "1234")])
    factory = protocol_factory(unit)        # for one end of a socket pair; `await factory.close()`
    unit.press_keys("1234*")
    data = unit.snapshot()                  # and later Unit.restore(data)

    await serve(Options(port=8082))         # the command; until SIGTERM

Layers, each importing only those before it: `errors`, `quirks`, `model` → `fields`, `auth`, `when` → `directory`,
`log`, `switches`, `ports`, `calls`, `keypad`, `power`, `faults`, `counters`, `firmware`, `access` →
`snapshots`, `world`, `unit` → `call`, `functions*`, `table` → `mishaps`, `http`, `server` →
`tls`, `listener`, `control*`, `keeper`, `run`. Everything the public sources leave open is a field of `Quirks`.
"""

from .auth import Account, Privilege, Service, ServiceSettings
from .firmware import CURRENT, FIRMWARES, NEW, OLD, Firmware
from .listener import Listener
from .model import ACCESS_UNIT, MODELS, SOLO, STYLE, UNI, VERSO, Model
from .ports import DoorConfig
from .quirks import Quirks, quirks_named
from .run import Options, Running, serve, start_units
from .server import Emulated, protocol_factory
from .switches import SwitchConfig
from .unit import Unit

__all__ = [
    "ACCESS_UNIT",
    "CURRENT",
    "FIRMWARES",
    "MODELS",
    "NEW",
    "OLD",
    "SOLO",
    "STYLE",
    "UNI",
    "VERSO",
    "Account",
    "DoorConfig",
    "Emulated",
    "Firmware",
    "Listener",
    "Model",
    "Options",
    "Privilege",
    "Quirks",
    "Running",
    "Service",
    "ServiceSettings",
    "SwitchConfig",
    "Unit",
    "protocol_factory",
    "quirks_named",
    "serve",
    "start_units",
]
