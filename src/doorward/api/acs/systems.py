"""`/acs/systems/*`."""

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import OneSystem
from doorward.api.params import Id, Params, Part
from doorward.wire.absent import AcsSystem

ID = "acs_system_id"


class List(Params):
    """Parameters of list."""

    connected_account_id: Id | None = None
    """Only those of this account."""
    customer_key: Id | None = None
    """Only those of this customer."""
    search: str | None = None
    """Only those that contain this text in name or id."""


class HotekEncoder(Part):
    """An encoder of a Hotek system."""

    encoder_number: str
    """The number of its USB port."""


class ReportedEncoder(Part):
    """An encoder that is there, or is no more."""

    hotek_metadata: HotekEncoder
    """What Hotek knows of it."""
    is_removed: bool = False
    """It is no more."""


class HotekEntrance(Part):
    """An entrance of a Hotek system."""

    common_area_name: str | None = None
    """The name of the area it leads to."""
    common_area_number: str | None = None
    """The number of the area it leads to."""
    room_number: str | None = None
    """The number of the room it leads to."""


class ReportedEntrance(Part):
    """An entrance that is there, or is no more."""

    hotek_metadata: HotekEntrance
    """What Hotek knows of it."""
    is_removed: bool = False
    """It is no more."""


class Report(OneSystem):
    """Parameters of report_devices."""

    acs_encoders: list[ReportedEncoder] = []
    """Its encoders."""
    acs_entrances: list[ReportedEntrance] = []
    """Its entrances."""


empty("/acs/systems/list", "List access control systems", List, auth="ACKR", acs_systems=list[AcsSystem])
no_such("/acs/systems/get", "Get an access control system", OneSystem, ID, auth="A", acs_system=AcsSystem)
no_such(
    "/acs/systems/list_compatible_credential_manager_acs_systems",
    "List the credential managers that suit an access control system",
    OneSystem,
    ID,
    auth="A",
    acs_systems=list[AcsSystem],
)
no_such("/acs/systems/report_devices", "Say which encoders and entrances a Hotek system has", Report, ID, auth="A")
