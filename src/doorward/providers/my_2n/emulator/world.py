"""What people and things in front of an intercom do to it, credential by credential.

Each function returns whether it opened. While the intercom is off nothing happens and nothing opens. Source of the
orders of events: HTTP API manual, api/log; the keys pressed around a mobile key are as seen in the field.
"""

from typing import TYPE_CHECKING, Any

from .switches import Origin

if TYPE_CHECKING:
    from .directory import Entry
    from .unit import Unit


def swipe(unit: "Unit", uid: str, reader: str, ap: int) -> bool:
    """A card at a reader."""
    return _present(unit, _holder(unit, "card", uid), "CardEntered", "card", ap, {"reader": reader, "uid": uid})


def show_phone(unit: "Unit", authid: str, ap: int = 0) -> bool:
    """A telephone with a mobile key (hex digits): the user touches the intercom, it asks the telephone by Bluetooth.
    Which key a touch reports is assumed."""
    unit.settle()
    if unit.is_off:
        return False
    unit.report("WaveKeyActivated", {"type": "touch"})
    unit.press_keys(["A"])
    user = _holder(unit, "mobkey", authid)
    return _present(unit, user, "MobKeyEntered", None, ap, {"action": "touch", "authid": authid})


def touch_finger(unit: "Unit", uuid: str | None, ap: int = 0) -> bool:
    """A finger of a directory user, who must have one enrolled; None is nobody's finger."""
    user = unit.directory.find(uuid) if uuid is not None else None
    return _present(unit, user if user is not None and user.get("access.fpt") else None, "FingerEntered", "finger", ap)


def drive_up(unit: "Unit", plate: str, ap: int = 0) -> bool:
    """A car whose licence plate a camera has read."""
    user = _holder(unit, "plate", plate)
    return _present(unit, user, "LicensePlateRecognized", None, ap, {"licensePlate": plate}, has_direction=False)


def press_exit_button(unit: "Unit") -> None:
    """The request-to-exit button, down and up; on a model without an input for it, what it would do."""
    button = unit.door.config.exit_button
    if button is not None and unit.ports.types.get(button) == "input":
        unit.set_input(button, True)
        unit.set_input(button, False)
        return
    unit.settle()
    if not unit.is_off:
        leave(unit, unit.steady())
        unit.changed()


def leave(unit: "Unit", now: int) -> None:
    """Somebody inside wants out."""
    unit.access.session += 1
    session = unit.access.session
    unit.report("RexActivated", {"ap": 1, "session": session})
    switch = unit.switches.get(unit.access.points[1].switch)
    if switch is not None and switch.config.enabled and not switch.locked:
        unit.admitted(1, session)
        switch.act("trigger", now, origin=Origin("rex", 1, session))


def _present(
    unit: "Unit",
    user: "Entry | None",
    event: str,
    kind: str | None,
    ap: int,
    params: dict[str, Any] | None = None,
    *,
    has_direction: bool = True,
) -> bool:
    unit.settle()
    if unit.is_off:
        return False
    opened = unit.access.present(
        user, event, params or {}, unit.steady(), ap=ap, kind=kind, has_direction=has_direction
    )
    unit.changed()
    return opened


def _holder(unit: "Unit", kind: str, shown: str) -> "Entry | None":
    """Who in the directory has this; the first, if several do."""
    has = {"card": _has_card, "mobkey": _has_mobile_key, "plate": _has_plate}[kind]
    return next((user for user in unit.directory.live() if has(user, shown)), None)


def _has_card(user: "Entry", uid: str) -> bool:
    cards = (user.get("access.card[0]"), user.get("access.card[1]"))
    return any(card and (uid.lower().endswith(card.lower()) or card.lower().endswith(uid.lower())) for card in cards)


def _has_mobile_key(user: "Entry", authid: str) -> bool:
    return user.get("access.mobkey").lower() == authid.lower() and not user.get("access.pairingExpired", False)


def _has_plate(user: "Entry", plate: str) -> bool:
    return _plain(plate) in {_plain(own) for own in user.get("access.licensePlates").split(",")}


def _plain(plate: str) -> str:
    return "".join(plate.split()).upper()
