"""`/noise_sensors/*`: no device of this server is one."""

from typing import Annotated

from annotated_types import Gt
from pydantic import StringConstraints

from doorward.api import devices
from doorward.api.absent import empty, no_such, other_kind
from doorward.api.params import Form, Id, Params
from doorward.wire.absent import NoiseThreshold
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.device import Device
from doorward.wire.device_type import NoiseSensorMaker, NoiseSensorType

KIND = "noise sensor"
THRESHOLDS = "/noise_sensors/noise_thresholds"
Daily = Annotated[
    str,
    StringConstraints(max_length=80),
    Form(r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\[[^\[\]]+\])?$", "Must be a time such as 22:00:00[Europe/Berlin]"),
]


class OneSensor(Params):
    """A noise sensor."""

    device_id: Id
    """The noise sensor."""


class List(devices.Filters):
    """Parameters of list."""

    device_type: NoiseSensorType | None = None
    """Only those of this type."""
    device_types: list[NoiseSensorType] | None = None
    """Only those of these types."""
    limit: Annotated[int, Gt(0)] = devices.PAGE
    """Items in a page."""
    manufacturer: NoiseSensorMaker | None = None
    """Only those of this manufacturer."""


class ListThresholds(OneSensor):
    """Parameters of noise_thresholds/list."""

    UNDOCUMENTED = frozenset({"is_programmed"})

    is_programmed: bool | None = None
    """Only those that the sensor has, or only the others."""


class Levels(OneSensor):
    """What a threshold is like."""

    UNDOCUMENTED = frozenset({"sync"})

    name: str | None = None
    """Its name."""
    noise_threshold_decibels: float | None = None
    """How loud it may be, in decibels."""
    noise_threshold_nrs: float | None = None
    """How loud it may be, in NoiseAware's own measure."""
    sync: bool = False
    """Without effect."""


class Create(Levels):
    """Parameters of noise_thresholds/create."""

    ends_daily_at: Daily
    """Until when it counts each day, as `07:00:00[Europe/Paris]`."""
    starts_daily_at: Daily
    """From when on it counts each day."""


class OneThreshold(Params):
    """Parameters of noise_thresholds/get."""

    noise_threshold_id: Id
    """The threshold."""


class Update(Levels, OneThreshold):
    """Parameters of noise_thresholds/update."""

    ends_daily_at: Daily | None = None
    """Until when it counts each day."""
    starts_daily_at: Daily | None = None
    """From when on it counts each day."""


class Delete(OneSensor, OneThreshold):
    """Parameters of noise_thresholds/delete."""

    UNDOCUMENTED = frozenset({"sync"})

    sync: bool = False
    """Without effect."""


empty(
    "/noise_sensors/list",
    "List noise sensors",
    List,
    auth="AC",
    devices=list[Device],
    noise_sensors=list[Device],
)
other_kind(
    f"{THRESHOLDS}/list",
    "List the thresholds of a noise sensor",
    ListThresholds,
    KIND,
    auth="AC",
    noise_thresholds=list[NoiseThreshold],
)
no_such(
    f"{THRESHOLDS}/get",
    "Get a threshold of a noise sensor",
    OneThreshold,
    "noise_threshold_id",
    auth="A",
    noise_threshold=NoiseThreshold,
)
other_kind(
    f"{THRESHOLDS}/create",
    "Give a noise sensor a threshold",
    Create,
    KIND,
    auth="A",
    action_type="CREATE_NOISE_THRESHOLD",
    noise_threshold=NoiseThreshold,
    action_attempt=ActionAttempt,
)
other_kind(
    f"{THRESHOLDS}/update",
    "Change a threshold of a noise sensor",
    Update,
    KIND,
    auth="A",
    action_type="UPDATE_NOISE_THRESHOLD",
    action_attempt=ActionAttempt,
)
other_kind(
    f"{THRESHOLDS}/delete",
    "Delete a threshold of a noise sensor",
    Delete,
    KIND,
    auth="A",
    action_type="DELETE_NOISE_THRESHOLD",
    action_attempt=ActionAttempt,
)
other_kind(
    "/noise_sensors/simulate/trigger_noise_threshold",
    "Have a noise sensor hear too much",
    OneSensor,
    KIND,
    auth="A",
)
