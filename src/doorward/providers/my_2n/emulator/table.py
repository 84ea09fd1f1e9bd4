"""The function table: path → verbs, service, privilege, and the Python function that does it.

Paths without a function are part of the API but not of this emulator: they answer code 1, as a model without the
feature would. Verbs and privileges: HTTP API manual, chapter 5.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from . import functions as do
from . import functions_dir as directory
from . import functions_log as log
from .auth import Privilege as P
from .auth import Service as S
from .call import Call, Result

Run = Callable[[Call], Result | Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Function:
    """One path of the API."""

    service: S
    run: dict[str, Run]
    """Verb → function; empty when it is not supported."""
    needs: tuple[P, ...] = ()
    """Any one of these is enough; none needed when empty."""
    feature: str | None = None
    """The model must have this (`has_camera`)."""
    is_public: bool = False
    """Served without a login."""


def _both(run: Run) -> dict[str, Run]:
    return {"GET": run, "POST": run}


_SYSTEM = (P.SYSTEM_CONTROL,)
_SYSTEM_READ = (P.SYSTEM_MONITORING, P.SYSTEM_CONTROL)
_SWITCH = (P.SWITCH_CONTROL,)
_SWITCH_READ = (P.SWITCH_MONITORING, P.SWITCH_CONTROL)
_ACCESS = (P.ACCESS_CONTROL,)
_CALL = (P.PHONE_CONTROL,)
_CAMERA = (P.CAMERA_MONITORING,)

FUNCTIONS: Final[dict[str, Function]] = {
    "/api/system/info": Function(S.SYSTEM, _both(do.system_info), is_public=True),
    "/api/system/status": Function(S.SYSTEM, _both(do.system_status), _SYSTEM_READ),
    "/api/system/restart": Function(S.SYSTEM, _both(do.system_restart), _SYSTEM),
    "/api/system/caps": Function(S.SYSTEM, _both(do.system_caps), _SYSTEM_READ),
    "/api/system/time": Function(S.SYSTEM, {"GET": do.system_time, "PUT": do.set_system_time}, _SYSTEM),
    "/api/system/timezone": Function(S.SYSTEM, {"GET": do.system_timezone, "PUT": do.set_system_timezone}, _SYSTEM),
    "/api/system/timezone/caps": Function(S.SYSTEM, _both(do.system_timezone_caps), _SYSTEM),
    "/api/switch/caps": Function(S.SWITCH, _both(do.switch_caps), _SWITCH_READ),
    "/api/switch/status": Function(S.SWITCH, _both(do.switch_status), _SWITCH_READ),
    "/api/switch/ctrl": Function(S.SWITCH, _both(do.switch_ctrl), _SWITCH),
    "/api/io/caps": Function(S.IO, _both(do.io_caps), (P.IO_MONITORING,)),
    "/api/io/status": Function(S.IO, _both(do.io_status), (P.IO_MONITORING,)),
    "/api/io/ctrl": Function(S.IO, _both(do.io_ctrl), (P.IO_CONTROL,)),
    "/api/phone/status": Function(S.PHONE, _both(do.phone_status), (P.PHONE_MONITORING,), "has_phone"),
    "/api/call/status": Function(S.PHONE, _both(do.call_status), (P.PHONE_MONITORING,), "has_phone"),
    "/api/call/dial": Function(S.PHONE, _both(do.call_dial), _CALL, "has_phone"),
    "/api/call/answer": Function(S.PHONE, _both(do.call_answer), _CALL, "has_phone"),
    "/api/call/hangup": Function(S.PHONE, _both(do.call_hangup), _CALL, "has_phone"),
    "/api/camera/caps": Function(S.CAMERA, _both(do.camera_caps), _CAMERA, "has_camera"),
    "/api/camera/snapshot": Function(S.CAMERA, _both(do.camera_snapshot), _CAMERA, "has_camera"),
    "/api/log/caps": Function(S.LOG, _both(log.log_caps)),
    "/api/log/subscribe": Function(S.LOG, _both(log.log_subscribe)),
    "/api/log/unsubscribe": Function(S.LOG, _both(log.log_unsubscribe)),
    "/api/log/pull": Function(S.LOG, _both(log.log_pull)),
    "/api/dir/template": Function(S.SYSTEM, _both(directory.dir_template), _SYSTEM),
    "/api/dir/create": Function(S.SYSTEM, {"PUT": directory.dir_create}, _SYSTEM),
    "/api/dir/update": Function(S.SYSTEM, {"PUT": directory.dir_update}, _SYSTEM),
    "/api/dir/delete": Function(S.SYSTEM, {"PUT": directory.dir_delete}, _SYSTEM),
    "/api/dir/get": Function(S.SYSTEM, {"POST": directory.dir_get}, _SYSTEM),
    "/api/dir/query": Function(S.SYSTEM, {"POST": directory.dir_query}, _SYSTEM),
    "/api/accesspoint/blocking/ctrl": Function(S.ACCESS, _both(do.accesspoint_blocking_ctrl), _ACCESS),
    "/api/accesspoint/blocking/status": Function(
        S.ACCESS, _both(do.accesspoint_blocking_status), (P.ACCESS_MONITORING, P.ACCESS_CONTROL)
    ),
    "/api/accesspoint/grantaccess": Function(S.ACCESS, _both(do.accesspoint_grantaccess), _ACCESS),
    **{
        f"/api/{path}": Function(service, {})
        for service, paths in {
            S.SYSTEM: (
                "system/time/set",
                "system/devicename",
                "firmware",
                "firmware/apply",
                "firmware/reject",
                "config",
                "config/factoryreset",
                "config/holidays",
                "holidays",
                "pcap",
                "pcap/restart",
                "pcap/stop",
                "pcap/live",
                "pcap/live/stop",
                "pcap/live/stats",
                "mobilekey/config",
                "mobilekey/compatibility",
                "cert/ca",
                "cert/user",
                "cert/csr",
            ),
            S.IO: ("io/doorbell",),
            S.PHONE: ("phone/calllog", "phone/config"),
            S.DISPLAY: ("display/caps", "display/image", "display/text", "display/language"),
            S.AUDIO: ("audio/test",),
            S.EMAIL: ("email/send",),
            S.ACCESS: ("lpr/licenseplate", "lpr/image", "lift/grantaccess"),
            S.AUTOMATION: ("automation/trigger",),
        }.items()
        for path in paths
    },
}
"""Every path of the manual's overview."""
