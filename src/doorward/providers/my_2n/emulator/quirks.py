"""Everything about a real intercom that public sources leave open, as switches.

Each field names one open question. The default is the assumption this emulator works with; a test that wants to
know whether a driver survives the other answer turns it. What the HTTP API manual settles is not here.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import msgspec


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one intercom behaves where the manual is silent. Assumed, unless a field says otherwise."""

    # ------------------------------------------------------------ logging in
    realm: str = "2N"
    """The realm in the challenge."""
    nonce_lifetime_s: float = 300.0
    """How long a Digest nonce serves; after that a right answer is met by `stale=true`."""
    strict_uri: bool = False
    """True: the `uri` of a Digest answer must equal the request line. False: it may lack the query string, as two
    clients in the field send it."""
    strict_nc: bool = False
    """True: the nonce count must grow with each request. False: clients that start again at 1 are served."""
    digest_without_qop: bool = True
    """Serve clients that leave `qop` out (RFC 2069)."""
    wrong_scheme_code: Literal[8, 9] = 8
    """The error code for Basic where Digest is set, and the reverse (8 seen on hardware)."""
    wrong_scheme_status: Literal[200, 401] = 401
    """The HTTP status that goes with it. With 401 comes the right challenge."""
    privilege_status: Literal[200, 403] = 200
    """The HTTP status of code 10."""
    unknown_path_status: Literal[200, 404] = 200
    """The HTTP status of code 2."""
    info_needs_credentials: bool = False
    """True: `system/info` asks for a login, as seen on hardened newer firmware."""
    no_authentication_grants_all: bool = True
    """On a service whose authentication is `none`: True serves everyone, False answers code 10 where a privilege is
    needed."""
    bad_logins_before_event: int = 10
    """Wrong passwords in a row, from one address, until `LoginBlocked` is reported; 0 never reports."""

    # ------------------------------------------------------------ transport
    max_body_bytes: int = 4 * 1024 * 1024
    """Larger request bodies are answered with code 13."""
    response_content_type: str = "text/plain"
    """Content type of the text that `response=` asks for."""
    unparsable_json_param: str | None = None
    """What `param` names when a JSON body cannot be read (code 12)."""
    ignore_action_case: bool = False
    """True: `action=ON` means `on`."""
    bare_call_status: bool = False
    """True: `call/status` is a bare array without the envelope, as one author saw on 2.50."""

    # ------------------------------------------------------------ switches and power
    on_prolongs_pulse: bool = True
    """`on` and `trigger` during a running pulse start its time again."""
    hold_timeout_is_remaining: bool = True
    """`holdTimeout` counts down; False: it stays what was asked for."""
    lock_clears_latch: bool = True
    """`lock` also forgets that a bistable switch was on, so `unlock` does not open the door."""
    latch_survives_boot: bool = False
    """A bistable switch that was on is on again after a reboot."""
    status_shows_locks: bool = True
    """`switch/status` has `locked` and `held`; firmware 2.1x had neither (manual)."""
    numbers_in_switch_events: bool = False
    """`SwitchStateChanged` says 1 and 0, as old firmware did (seen in the field)."""
    restart_delay_s: float = 0.2
    """From the reply to `system/restart` until the lines drop."""
    restart_outage_s: float = 3.0
    """How long a restart takes. Hardware needs 30 to 90 s; nobody wants to wait for that in a test."""
    power_cut_loses_unsaved: bool = False
    """True: directory changes that were not yet reported as saved are gone after a power cut."""

    # ------------------------------------------------------------ directory
    directory_capacity: int = 10_000
    """Live entries that fit."""
    directory_full_code: str = "EDIR_DIRECTORY_FULL"
    """The entry error when they do not. The real name is not public."""
    directory_saved_delay_s: float = 0.5
    """From `DirectoryChanged` to `DirectorySaved`."""
    max_tombstones: int = 1_000
    """Deleted entries remembered; beyond, the oldest go and `invalid` rises."""
    tombstones_in_full_query: bool = True
    """A query from the beginning lists deleted entries too."""
    get_shows_tombstones: bool = False
    """`dir/get` of a deleted entry shows it with `deleted`; otherwise it does not exist."""
    tombstone_uuid_is_free: bool = True
    """A deleted entry's UUID may be created again without `force`."""
    refuse_duplicate_pins: bool = False
    """True: a PIN that another entry has is refused as a wrong value of `access.pin`."""
    pin_max_length: int = 15
    """Longest PIN; clients use up to 15."""
    code_max_length: int = 16
    """Longest switch code, after the text of the web interface."""
    pin_may_be_number: bool = False
    """Accept a PIN or code sent as a JSON number."""
    index_in_update_keys: bool = True
    """`dir/update` takes keys such as `access.code[1]`; False: no field of that name."""
    max_entries_per_call: int | None = None
    """More entries in one write are code 13; None: the body's size is the only limit."""
    name_max_length: int = 63
    """Longest name, in characters."""
    index_in_error_field: bool = True
    """Entry errors name an array's member as `access.code[0]`; False: `access.code`."""

    # ------------------------------------------------------------ log
    history: int = 10_000
    """Events remembered (10 000 per the current manual, 500 on 2.16)."""
    max_channels: int = 16
    """Subscriptions at once; one more ends the one that was idle longest."""
    max_pull_timeout_s: int = 3600
    """The longest `timeout` of a pull; more is code 12."""
    refuse_unknown_filter: bool = False
    """True: an unknown event name in `filter` is code 12; False: it is ignored."""
    privileges_checked_at: Literal["pull", "subscribe"] = "pull"
    """Whose privileges decide what a channel shows: those at each pull, or those it was opened with."""
    user_events_need_uid: bool = True
    """`UserAuthenticated` and `UserRejected` need UID – Monitoring; False: no check box at all."""
    lost_pull_loses_events: bool = True
    """Events whose reply never arrived are gone from the channel; False: the next pull has them again."""

    # ------------------------------------------------------------ access
    unknown_code_rejects: bool = True
    """An unknown code is followed by `UserRejected` with an empty name; older firmware stops at `CodeEntered`."""
    invalid_code_names_user: bool = True
    """`CodeEntered` of a known but not valid code carries the user's UUID."""
    grantaccess_has_result: bool = True
    """`accesspoint/grantaccess` says whether it granted; older firmware only says that it was asked."""
    switch_codes_obey_validity: bool = True
    """A user's switch code works only within the user's validity."""
    switch_codes_obey_access_points: bool = False
    """A user's switch code stops when the access point is off for the user."""
    entries_only_switch_on: bool = False
    """Whoever is let in switches a bistable switch on, and never off, as with a device's "distinguish on/off codes".
    False: each entry toggles it (configuration manual)."""
    failures_before_limit: int = 5
    """Refused entries in a row until the reader pauses (manual)."""
    limit_s: float = 30.0
    """How long it pauses (manual)."""
    key_timeout_s: float = 10.0
    """A half typed code is forgotten after so long without a key."""
    ring_s: float = 60.0
    """An outgoing call that nobody answers ends after so long."""


def quirks_named(words: Iterable[str]) -> Quirks:
    """Quirks from `name=value` words.

    Raises: ValueError for a name that is none or a value of the wrong kind.
    """
    wanted: dict[str, str] = {}
    known = asdict(Quirks())
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            raise ValueError(f"There is no quirk {name!r}; known: {', '.join(known)}.")
        wanted[name] = value
    try:
        return msgspec.convert(wanted, Quirks, strict=False)
    except msgspec.ValidationError as exc:
        raise ValueError(f"{exc}") from exc
