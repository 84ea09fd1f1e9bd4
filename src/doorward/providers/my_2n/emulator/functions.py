"""The functions of the HTTP API, one Python function each, except the directory's and the log's own.

A function gets a `Call` that passed every check of the table in `table.py`, and returns a `Result` or raises
`ApiError`. Source: HTTP API manual, chapter 5, by the function's own name.
"""

from typing import Any, Final

from . import errors, when
from .call import Answer, Call, Result
from .errors import ApiError, invalid, missing
from .fields import UUID
from .picture import RESOLUTIONS, grey_jpeg
from .switches import ACTIONS, MAX_HOLD_S

ON_OFF: Final = frozenset({"on", "off"})
_INT32: Final = 2**31 - 1

# ---------------------------------------------------------------- system


def system_info(call: Call) -> Result:
    """system/info."""
    unit = call.unit
    digits = int(unit.serial.replace("-", "") or "0") & 0xFFFFFF
    info = {
        "devType": str(unit.model.variant_id),
        "variant": unit.model.variant,
        "variantId": unit.model.variant_id,
        "customerId": 0,
        "serialNumber": unit.serial,
        "macAddr": f"7C-1E-B3-{digits >> 16:02X}-{digits >> 8 & 0xFF:02X}-{digits & 0xFF:02X}",
        "hwVersion": unit.model.hw_version,
        "swVersion": unit.sw_version,
        "buildType": "release",
        "firmwarePackage": unit.model.firmware_package,
        "deviceName": unit.name,
        "bootUuid": unit.boot_uuid,
    }
    return {name: value for name, value in info.items() if name not in unit.firmware.absent_info}


def system_status(call: Call) -> Result:
    """system/status: both in seconds."""
    return {"systemTime": call.unit.device_time(), "upTime": call.unit.time.up_seconds()}


def system_restart(call: Call) -> Result:
    """system/restart."""
    call.unit.restart()
    return None


def system_caps(call: Call) -> Result:
    """system/caps: names as seen in the field."""
    camera = "active,licensed" if call.unit.model.has_camera else "inactive"
    door = "active" if call.unit.door.config.contact in call.unit.ports.types else "inactive"
    return {"options": {"camera": camera, "doorSensor": door, "motionDetection": "inactive", "rtspServer": "inactive"}}


def system_time(call: Call) -> Result:
    """system/time, read. The shape of the reply is assumed from the parameters of the write."""
    time = call.unit.time
    return {"automatic": time.automatic, "utcTime": time.now(), "server": time.server}


def set_system_time(call: Call) -> Result:
    """system/time, write."""
    time = call.unit.time
    automatic = call.flag("automatic", time.automatic)
    if "utcTime" in call.params:
        wanted = call.number("utcTime", 0, _INT32)
        time.offset_s = wanted - call.unit.clock.now() / 1000
    elif automatic and not time.automatic:
        time.offset_s = 0.0
    time.automatic = automatic
    time.server = call.params.get("server", time.server)
    call.unit.report("ConfigurationChanged", {})
    return None


def system_timezone(call: Call) -> Result:
    """system/timezone, read. The shape of the reply is assumed from the parameters of the write."""
    time = call.unit.time
    if time.zone.startswith("UTC") and time.zone != "UTC":
        return {"automatic": time.zone_automatic, "zone": "custom", "custom": time.zone}
    return {"automatic": time.zone_automatic, "zone": time.zone}


def set_system_timezone(call: Call) -> Result:
    """system/timezone, write."""
    time = call.unit.time
    automatic = call.flag("automatic", time.zone_automatic)
    if "zone" in call.params:
        custom = call.params["zone"] == "custom"
        param = "custom" if custom else "zone"
        try:
            time.set_zone(call.text(param))
        except ValueError:
            raise invalid(param) from None
    time.zone_automatic = automatic
    call.unit.report("ConfigurationChanged", {})
    return None


def system_timezone_caps(_call: Call) -> Result:
    """system/timezone/caps."""
    return {"zones": when.zone_names()}


# ---------------------------------------------------------------- switches


def _chosen_switches(call: Call) -> list[Any]:
    if "switch" not in call.params:
        return list(call.unit.switches.values())
    return [call.unit.switches[call.number("switch", 1, len(call.unit.switches))]]


def switch_caps(call: Call) -> Result:
    """switch/caps."""
    return {"switches": [switch.caps() for switch in _chosen_switches(call)]}


def switch_status(call: Call) -> Result:
    """switch/status."""
    now = call.unit.steady()
    return {"switches": [switch.status(now) for switch in _chosen_switches(call)]}


def switch_ctrl(call: Call) -> Result:
    """switch/ctrl. `timeout` counts for `hold` alone: some clients send 0 with everything."""
    unit = call.unit
    if "switch" not in call.params:
        raise missing("switch")
    if "action" not in call.params:
        raise missing("action")
    number = call.number("switch", 1, len(unit.switches))
    action = call.one_of("action", ACTIONS)
    timeout = call.number("timeout", 1, MAX_HOLD_S) if action == "hold" and "timeout" in call.params else None
    unit.switches[number].act(action, unit.steady(), timeout_s=timeout)
    unit.changed()
    return call.done()


# ---------------------------------------------------------------- inputs and outputs


def _chosen_ports(call: Call) -> list[str]:
    port = call.params.get("port")
    if port is None:
        return list(call.unit.ports.types)
    if port not in call.unit.ports.types:
        raise invalid("port")
    return [port]


def io_caps(call: Call) -> Result:
    """io/caps."""
    return {"ports": [{"port": port, "type": call.unit.ports.types[port]} for port in _chosen_ports(call)]}


def io_status(call: Call) -> Result:
    """io/status, in the order of io/caps."""
    return {"ports": [{"port": port, "state": int(call.unit.ports.state(port))} for port in _chosen_ports(call)]}


def io_ctrl(call: Call) -> Result:
    """io/ctrl."""
    if "port" not in call.params:
        raise missing("port")
    action = call.text("action")
    port = call.params["port"]
    if call.unit.ports.types.get(port) != "output":
        raise invalid("port")
    if action not in ON_OFF:
        raise invalid("action")
    call.unit.ports.drive(port, action == "on", call.unit.steady(), by_hand=True)
    call.unit.changed()
    return call.done()


# ---------------------------------------------------------------- access points


def _access_point(call: Call) -> int:
    ap = call.number("id", 0, 1)
    if not call.unit.access.points[ap].enabled:
        raise ApiError(errors.REJECTED)
    return ap


def accesspoint_blocking_ctrl(call: Call) -> Result:
    """accesspoint/blocking/ctrl."""
    call.text("id")
    wanted = call.one_of("action", ON_OFF) == "on"
    call.unit.access.block(_access_point(call), wanted, call.unit.steady())
    call.unit.changed()
    return None


def accesspoint_blocking_status(call: Call) -> Result:
    """accesspoint/blocking/status."""
    points = call.unit.access.points
    chosen = [call.number("id", 0, 1)] if "id" in call.params else sorted(points)
    return {"accessPoints": [{"id": ap, "blocked": points[ap].blocked} for ap in chosen]}


def accesspoint_grantaccess(call: Call) -> Result:
    """accesspoint/grantaccess. A refusal is a success with `accessGranted` false."""
    call.text("id")
    uuid = call.text("user")
    if not UUID.fullmatch(uuid):
        raise invalid("user", "invalid UUID")
    ap = _access_point(call)
    reason = call.unit.access.request(call.unit.directory.find(uuid), ap, call.unit.steady())
    call.unit.changed()
    if not call.unit.quirks.grantaccess_has_result:
        return None
    return {"accessGranted": True} if reason is None else {"accessGranted": False, "reason": reason}


# ---------------------------------------------------------------- telephony


def phone_status(_call: Call) -> Result:
    """phone/status: two accounts, neither registered anywhere."""
    return {
        "accounts": [
            {
                "account": account,
                "accountType": "general",
                "enabled": False,
                "sipNumber": "",
                "registrationEnabled": False,
                "registered": False,
            }
            for account in (1, 2)
        ]
    }


def call_status(call: Call) -> Result:
    """call/status; an unknown `session` is an error, no session an empty list."""
    sessions = call.unit.calls.status()
    if "session" in call.params:
        wanted = _session(call)
        sessions = [session for session in sessions if session["session"] == wanted]
    return {"sessions": sessions}


def _session(call: Call) -> int:
    number = call.number("session", -_INT32 - 1, _INT32)
    if number not in call.unit.calls.sessions:
        raise ApiError(errors.PROCESSING, description="session not found")
    return number


def call_dial(call: Call) -> Result:
    """call/dial by `number` or by `users`."""
    has_number, has_users = "number" in call.params, "users" in call.params
    if has_number and has_users:
        raise ApiError(errors.COLLISION, param="users")
    if not has_number and not has_users:
        raise missing("number")
    if has_number:
        peers = [call.text("number")]
    else:
        if call.params["users"] == "":
            raise invalid("users", "empty UUID")
        uuids = call.params["users"].split(",")
        if not all(UUID.fullmatch(uuid) for uuid in uuids):
            raise invalid("users", "invalid UUID")
        found = [call.unit.directory.find(uuid) for uuid in uuids]
        peers = [str(user.get("callPos[0].peer")) for user in found if user is not None]
    session = call.unit.calls.dial(tuple(peers), call.unit.steady())
    call.unit.changed()
    return {"session": session.number}


def call_answer(call: Call) -> Result:
    """call/answer."""
    call.unit.calls.answer(_session(call), call.unit.steady())
    call.unit.changed()
    return None


def call_hangup(call: Call) -> Result:
    """call/hangup."""
    reason = call.params.get("reason", "normal")
    if reason not in ("normal", "rejected", "busy", "noanswer"):
        raise invalid("reason")
    call.unit.calls.hang_up(_session(call), reason, call.unit.steady())
    call.unit.changed()
    return None


# ---------------------------------------------------------------- camera


def camera_caps(_call: Call) -> Result:
    """camera/caps."""
    return {
        "jpegResolution": [{"width": width, "height": height} for width, height in RESOLUTIONS],
        "sources": [{"source": "internal"}],
    }


def camera_snapshot(call: Call) -> Result:
    """camera/snapshot. Errors are JSON with status 200, as seen on hardware."""
    width, height = call.number("width", 1, 10_000), call.number("height", 1, 10_000)
    if (width, height) not in RESOLUTIONS:
        raise invalid("width")
    if call.params.get("source", "internal") != "internal":
        raise invalid("source")
    call.number("time", -30, 0, 0)
    rate = call.number("fps", 1, 15) if "fps" in call.params else 0
    return Answer(grey_jpeg(width, height), "image/jpeg", rate)
