"""An intercom's state as bytes, and back. The bytes hold passwords and PINs in clear text."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .auth import Account, Service, ServiceSettings, privileges_named
from .firmware import CURRENT, FIRMWARES, Firmware
from .model import MODELS, Model
from .switches import SwitchConfig

if TYPE_CHECKING:
    from .unit import Unit

FORMAT: Final = 1


def dump(unit: "Unit") -> bytes:
    """Everything but connections, channels and calls, as JSON."""
    return msgspec.json.encode(
        {
            "format": FORMAT,
            "model": unit.model.key,
            "firmware": unit.firmware.key,
            "serial": unit.serial,
            "name": unit.name,
            "boot_uuid": unit.boot_uuid,
            "time": unit.time.save(),
            "nonce_key": unit.gate.key.hex(),
            "accounts": [
                [a.name, a.password, sorted(p.value for p in a.privileges), a.enabled] for a in unit.gate.accounts
            ],
            "services": {service.value: asdict(settings) for service, settings in unit.services.items()},
            "directory": unit.directory.save(),
            "directory_save_at": unit.directory_save_at,
            "switches": {str(number): switch.save() for number, switch in unit.switches.items()},
            "factory_switches": [asdict(config) for config in unit.factory_switches],
            "ports": unit.ports.save(),
            "door": unit.door.save(),
            "access": unit.access.save(),
            "log": unit.log.save(),
            "power": [unit.power.off_at, unit.power.boots_at, unit.power.outage_s],
        }
    )


class Saved:
    """A snapshot that was read."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self.model: Model = MODELS[state["model"]]
        self.firmware: Firmware = FIRMWARES[state.get("firmware", CURRENT.key)]
        self.serial: str = state["serial"]
        self.name: str = state["name"]
        self.factory_switches = tuple(
            SwitchConfig(**{**config, "codes": tuple(config["codes"])}) for config in state["factory_switches"]
        )

    def fill(self, unit: "Unit") -> None:
        """Make a fresh unit of the same model what the saved one was."""
        state = self._state
        unit.boot_uuid = state["boot_uuid"]
        unit.time.load(state["time"])
        unit.gate.key = bytes.fromhex(state["nonce_key"])
        for name, password, privileges, enabled in state["accounts"]:
            unit.gate.put_account(Account(name, password, privileges_named(privileges), enabled))
        unit.services.update({Service(name): ServiceSettings(**row) for name, row in state["services"].items()})
        unit.directory.load(state["directory"])
        unit.directory_save_at = state["directory_save_at"]
        for number, row in state["switches"].items():
            unit.switches[int(number)].load(row)
        unit.ports.load(state["ports"])
        unit.door.load(state["door"])
        unit.access.load(state["access"])
        unit.log.clear()
        unit.log.load(state["log"])
        unit.power.off_at, unit.power.boots_at, unit.power.outage_s = state["power"]


def parse(data: bytes) -> Saved:
    """Read a snapshot.

    Raises: ValueError for bytes that are none, or of another format.
    """
    try:
        state = msgspec.json.decode(data)
        found = state["format"]
        if found == FORMAT:
            return Saved(state)
    except (msgspec.DecodeError, KeyError, TypeError) as exc:
        raise ValueError("This is no snapshot of an intercom.") from exc
    raise ValueError(f"This snapshot has format {found!r}; this version reads {FORMAT}.")
