"""Who is let in: PINs, switch codes, cards, the API's own request, blocking and the pause after failures.

The order of the rules is assumed: the point enabled for the user, blocking, validity, then the switch. Time
profiles are stored but not judged. Source: HTTP API manual, api/accesspoint and the events of api/log/pull;
the configuration manual on codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .directory import Directory, Entry
from .quirks import Quirks
from .switches import Origin, Switch

POINTS: Final = (0, 1)
"""Entry and exit."""
_RESERVED: Final = frozenset({"00", "11"})
"""Kept for opening by telephone; a keypad does not take them (configuration manual)."""

Report = Callable[[str, dict[str, Any], int], None]


class House(Protocol):
    """What the rules need to know of the intercom around them."""

    @property
    def directory(self) -> Directory: ...

    @property
    def switches(self) -> dict[int, Switch]: ...

    def device_time(self) -> int:
        """Unix seconds by the intercom's own clock."""
        ...

    def admitted(self, ap: int, session: int) -> None:
        """Somebody was let in."""
        ...


@dataclass(slots=True)
class Point:
    """One access point."""

    enabled: bool = True
    blocked: bool = False
    switch: int = 1
    """The switch an authenticated user operates."""
    failures: int = 0
    limited_until: int | None = None
    limited_by: str = "code"


class Access:
    """The authentication engine of one intercom."""

    def __init__(self, house: House, quirks: Quirks, report: Report) -> None:
        self.points = {ap: Point() for ap in POINTS}
        self.session = 0
        self._house = house
        self._quirks = quirks
        self._report = report

    # ------------------------------------------------------------ stimuli

    def enter_code(self, code: str, now: int, *, ap: int = 0) -> bool:
        """A confirmed code. First a user's PIN, then a user's switch code, then a universal code."""
        if self.points[ap].limited_until is not None:
            return False
        session = self._next_session()
        if code in _RESERVED or len(code) < 2:
            return self._unknown_code(code, ap, session, now)
        user = next((user for user in self._house.directory.live() if user.get("access.pin") == code), None)
        if user is not None:
            return self._authenticate(
                user, ap, session, now, lambda valid: self._code_event(code, ap, session, "user", user, valid, now)
            )
        for user in self._house.directory.live():
            for number, switch in self._house.switches.items():
                if user.get(f"access.code[{number - 1}]") == code:
                    return self._user_switch_code(user, switch, code, ap, session, now)
        for switch in self._house.switches.values():
            if code in switch.config.codes:
                works = switch.config.enabled and not switch.locked
                self._code_event(code, ap, session, "universal", None, works, now)
                if works:
                    self._passed(ap)
                    self._operate(switch, Origin("uni", ap, session), now)
                return works
        return self._unknown_code(code, ap, session, now)

    def present(
        self,
        user: Entry | None,
        event: str,
        params: dict[str, Any],
        now: int,
        *,
        ap: int,
        kind: str | None,
        has_direction: bool = True,
    ) -> bool:
        """A card, finger, telephone or number plate, and whose it is. `kind` is what `AccessLimited` calls it; None
        does not count as a failure."""
        if self.points[ap].limited_until is not None:
            return False
        session = self._next_session()

        def tell(valid: bool) -> None:
            said = {"ap": ap, "session": session, **({"direction": _direction(ap)} if has_direction else {}), **params}
            self._report(event, {**said, "uuid": user.uuid if user else "", "valid": valid}, now)

        if user is None:
            tell(False)
            self._rejected(None, "invalidCredential", ap, session, now, kind=kind)
            return False
        return self._authenticate(user, ap, session, now, tell, kind=kind)

    def request(self, user: Entry | None, ap: int, now: int) -> str | None:
        """`accesspoint/grantaccess`: None when granted, else the `reason` of the reply."""
        session = self._next_session()

        def tell(valid: bool) -> None:
            params = {"ap": ap, "session": session, "uuid": user.uuid if user else "", "valid": valid}
            self._report("ApiAccessRequested", params, now)

        if user is None:
            tell(False)
            self._rejected(None, "invalidCredential", ap, session, now, kind=None)
            return "invalidCredential"
        refusal = self._refusal(user, ap)
        self._authenticate(user, ap, session, now, tell, kind=None)
        if refusal is None:
            return None
        return refusal if refusal == "accessBlocked" else "invalidCredential"

    def block(self, ap: int, wanted: bool, now: int) -> None:
        """Block or free an access point."""
        if self.points[ap].blocked != wanted:
            self.points[ap].blocked = wanted
            self._report("AccessBlocked", {"ap": ap, "state": "in" if wanted else "out"}, now)

    # ------------------------------------------------------------ rules

    def _refusal(self, user: Entry, ap: int) -> str | None:
        point = self.points[ap]
        if not point.enabled or not user.get(f"access.accessPoints[{ap}].enabled", True):
            return "invalidCredential"
        if point.blocked and not user.get("access.accessException", False):
            return "accessBlocked"
        if not self._is_valid_now(user):
            return "invalidTime"
        switch = self._house.switches.get(point.switch)
        if switch is None or not switch.config.enabled:
            return "switchDisabled"
        return "switchLocked" if switch.locked else None

    def _is_valid_now(self, user: Entry) -> bool:
        now = self._house.device_time()
        start, end = int(user.get("access.validFrom", "0")), int(user.get("access.validTo", "0"))
        return (not start or start <= now) and (not end or now < end)

    def _authenticate(
        self,
        user: Entry,
        ap: int,
        session: int,
        now: int,
        tell: Callable[[bool], None],
        *,
        kind: str | None = "code",
    ) -> bool:
        reason = self._refusal(user, ap)
        tell(reason is None)
        if reason is not None:
            self._rejected(user, reason, ap, session, now, kind=kind)
            return False
        self._passed(ap)
        self._report(
            "UserAuthenticated",
            {"ap": ap, "session": session, "name": user.get("name"), "uuid": user.uuid, "apbBroken": False},
            now,
        )
        self._house.admitted(ap, session)
        self._operate(self._house.switches[self.points[ap].switch], Origin("ap", ap, session), now)
        return True

    def _user_switch_code(self, user: Entry, switch: Switch, code: str, ap: int, session: int, now: int) -> bool:
        reason: str | None = None
        if self._quirks.switch_codes_obey_validity and not self._is_valid_now(user):
            reason = "invalidTime"
        elif self._quirks.switch_codes_obey_access_points and not user.get(f"access.accessPoints[{ap}].enabled", True):
            reason = "invalidCredential"
        elif not switch.config.enabled:
            reason = "switchDisabled"
        elif switch.locked:
            reason = "switchLocked"
        self._code_event(code, ap, session, "user", user, reason is None, now)
        if reason is not None:
            self._rejected(user, reason, ap, session, now, kind="code")
            return False
        self._passed(ap)
        self._house.admitted(ap, session)
        self._operate(switch, Origin("ap", ap, session), now)
        return True

    def _operate(self, switch: Switch, origin: Origin, now: int) -> None:
        switch.act("on" if self._quirks.entries_only_switch_on else "trigger", now, origin=origin)

    def _unknown_code(self, code: str, ap: int, session: int, now: int) -> bool:
        self._code_event(code, ap, session, "user", None, False, now)
        if self._quirks.unknown_code_rejects:
            self._rejected(None, "invalidCredential", ap, session, now, kind="code")
        else:
            self._count_failure(ap, "code", now)
        return False

    def _code_event(
        self, code: str, ap: int, session: int, kind: str, user: Entry | None, valid: bool, now: int
    ) -> None:
        named = user is not None and (valid or self._quirks.invalid_code_names_user)
        params = {"ap": ap, "session": session, "direction": _direction(ap), "code": code, "type": kind}
        self._report("CodeEntered", {**params, "uuid": user.uuid if user and named else "", "valid": valid}, now)

    def _rejected(self, user: Entry | None, reason: str, ap: int, session: int, now: int, *, kind: str | None) -> None:
        params = {"ap": ap, "session": session, "name": user.get("name") if user else ""}
        self._report("UserRejected", {**params, "uuid": user.uuid if user else "", "reason": reason}, now)
        if kind is not None:
            self._count_failure(ap, kind, now)

    def _count_failure(self, ap: int, kind: str, now: int) -> None:
        point = self.points[ap]
        point.failures += 1
        if point.failures >= self._quirks.failures_before_limit:
            point.failures = 0
            point.limited_by = kind
            point.limited_until = now + round(self._quirks.limit_s * 1000)
            self._report("AccessLimited", {"ap": ap, "type": kind, "state": "in"}, now)

    def _passed(self, ap: int) -> None:
        self.points[ap].failures = 0

    def _next_session(self) -> int:
        self.session += 1
        return self.session

    # ------------------------------------------------------------ time and power

    def due_at(self) -> int | None:
        """When the next pause ends."""
        return min((p.limited_until for p in self.points.values() if p.limited_until is not None), default=None)

    def wake(self, at: int) -> None:
        """End pauses that are over."""
        for ap, point in self.points.items():
            if point.limited_until is not None and point.limited_until <= at:
                point.limited_until = None
                self._report("AccessLimited", {"ap": ap, "type": point.limited_by, "state": "out"}, at)

    def lose_power(self) -> None:
        """Counts and pauses go; blocking is a setting and stays (assumed)."""
        self.session = 0
        for point in self.points.values():
            point.failures, point.limited_until = 0, None

    def save(self) -> dict[str, Any]:
        """All of it."""
        fields = Point.__slots__
        return {
            "session": self.session,
            "points": {str(ap): {name: getattr(p, name) for name in fields} for ap, p in self.points.items()},
        }

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `save`."""
        self.session = saved["session"]
        self.points = {int(ap): Point(**point) for ap, point in saved["points"].items()}


def _direction(ap: int) -> str:
    return "out" if ap else "in"
