"""`/thermostats/*`: no device of this server is one."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import StringConstraints

from doorward.api import devices
from doorward.api.absent import empty, no_such, other_kind
from doorward.api.params import NULL, Id, Instant, Params, Part
from doorward.wire.absent import ThermostatDailyProgram, ThermostatSchedule
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.device import Device
from doorward.wire.device_type import ThermostatMaker, ThermostatType

KIND = "thermostat"
PATCH = ("POST", "PATCH")

Mode = Literal["off", "heat", "cool", "heat_cool", "eco"]
FanMode = Literal["auto", "on", "circulate"]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")]


# ---------------------------------------------------------------- parameters


class One(Params):
    """A thermostat."""

    device_id: Id
    """The thermostat."""


class List(devices.Filters):
    """Parameters of list."""

    device_type: ThermostatType | None = None
    """Only those of this type."""
    device_types: list[ThermostatType] | None = None
    """Only those of these types."""
    limit: Annotated[int, Gt(0)] = devices.PAGE
    """Items in a page."""
    manufacturer: ThermostatMaker | None = None
    """Only those of this manufacturer."""


class Synced(One):
    """What the older forms take."""

    UNDOCUMENTED = frozenset({"sync"})

    sync: bool = False
    """Without effect."""


class Cooling(Params):
    """Down to where it cools."""

    cooling_set_point_celsius: float | None = None
    """Above this it cools, in °C."""
    cooling_set_point_fahrenheit: float | None = None
    """Above this it cools, in °F."""


class Heating(Params):
    """Up to where it heats."""

    heating_set_point_celsius: float | None = None
    """Below this it heats, in °C."""
    heating_set_point_fahrenheit: float | None = None
    """Below this it heats, in °F."""


class Cool(Cooling, Synced):
    """Parameters of cool."""


class Heat(Heating, Synced):
    """Parameters of heat."""


class HeatCool(Cooling, Heating, Synced):
    """Parameters of heat_cool."""


class SetHvacMode(Cooling, Heating, One):
    """Parameters of set_hvac_mode."""

    hvac_mode_setting: Mode
    """What it does."""


class SetFanMode(Synced):
    """Parameters of set_fan_mode."""

    fan_mode: FanMode | None = None
    """Older name of `fan_mode_setting`."""
    fan_mode_setting: FanMode | None = None
    """When its fan runs."""


class SetThreshold(One):
    """Parameters of set_temperature_threshold."""

    lower_limit_celsius: float | None = None
    """Colder than this is told, in °C; null: nothing is."""
    lower_limit_fahrenheit: float | None = None
    """Colder than this is told, in °F; null: nothing is."""
    upper_limit_celsius: float | None = None
    """Warmer than this is told, in °C; null: nothing is."""
    upper_limit_fahrenheit: float | None = None
    """Warmer than this is told, in °F; null: nothing is."""


class OnePreset(One):
    """A climate preset of a thermostat."""

    climate_preset_key: str
    """The climate preset."""


class Ecobee(Part):
    """What ecobee knows of a preset."""

    climate_ref: str | None = None
    """Its name there."""
    is_optimized: bool | None = None
    """It is adapted by ecobee."""
    owner: Literal["user", "system"] | None = None
    """Who made it."""


class Preset(Cooling, Heating, OnePreset):
    """Parameters of update_climate_preset."""

    climate_preset_mode: Literal["home", "away", "wake", "sleep", "occupied", "unoccupied"] | None = None
    """When it is for."""
    ecobee_metadata: Ecobee | None = None
    """What ecobee knows of it."""
    fan_mode_setting: FanMode | None = None
    """When the fan runs."""
    hvac_mode_setting: Mode | None = None
    """What the thermostat does."""
    manual_override_allowed: bool | None = None
    """Somebody at the thermostat may change it."""
    name: Annotated[str, NULL] | None = None
    """Its name."""


class NewPreset(Preset):
    """Parameters of create_climate_preset."""

    manual_override_allowed: bool = True
    """Somebody at the thermostat may change it."""


class Period(Part):
    """A part of a day."""

    climate_preset_key: str
    """The climate preset that holds then."""
    starts_at_time: TimeOfDay
    """When it begins, as `07:00:00`."""


class OneProgram(Params):
    """A program for a day."""

    thermostat_daily_program_id: Id
    """The program."""


class Program(Params):
    """What a program for a day is like."""

    name: str
    """Its name."""
    periods: list[Period]
    """The parts of the day."""


class NewProgram(Program, One):
    """Parameters of daily_programs/create."""


class UpdateProgram(Program, OneProgram):
    """Parameters of daily_programs/update."""


class Week(One):
    """Parameters of update_weekly_program."""

    monday_program_id: Annotated[Id, NULL] | None = None
    """The program of Mondays."""
    tuesday_program_id: Annotated[Id, NULL] | None = None
    """The program of Tuesdays."""
    wednesday_program_id: Annotated[Id, NULL] | None = None
    """The program of Wednesdays."""
    thursday_program_id: Annotated[Id, NULL] | None = None
    """The program of Thursdays."""
    friday_program_id: Annotated[Id, NULL] | None = None
    """The program of Fridays."""
    saturday_program_id: Annotated[Id, NULL] | None = None
    """The program of Saturdays."""
    sunday_program_id: Annotated[Id, NULL] | None = None
    """The program of Sundays."""


class OneSchedule(Params):
    """A schedule."""

    thermostat_schedule_id: Id
    """The schedule."""


class ListSchedules(One):
    """Parameters of schedules/list."""

    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


class Override(Params):
    """Whether somebody at the thermostat may change it."""

    is_override_allowed: bool | None = None
    """Somebody at the thermostat may change it."""
    max_override_period_minutes: Annotated[int, Ge(0)] | None = None
    """How long a change made there lasts; null: to the end."""
    name: str | None = None
    """Its name."""


class NewSchedule(Override, OnePreset):
    """Parameters of schedules/create."""

    ends_at: Instant
    """When it ends."""
    starts_at: Instant
    """When it begins."""


class UpdateSchedule(Override, OneSchedule):
    """Parameters of schedules/update."""

    climate_preset_key: str | None = None
    """The climate preset that holds then."""
    ends_at: Instant | None = None
    """When it ends."""
    starts_at: Instant | None = None
    """When it begins."""


class ModeAdjusted(Cooling, Heating, One):
    """Parameters of hvac_mode_adjusted."""

    hvac_mode: Literal["off", "cool", "heat", "heat_cool"]
    """What somebody has it do."""


class TemperatureReached(One):
    """Parameters of temperature_reached."""

    temperature_celsius: float | None = None
    """How warm it is, in °C."""
    temperature_fahrenheit: float | None = None
    """How warm it is, in °F."""


# ---------------------------------------------------------------- routes

empty("/thermostats/list", "List thermostats", List, auth="AC", devices=list[Device], thermostats=list[Device])

COMMANDS: tuple[tuple[str, str, type[Params], str, str], ...] = (
    ("activate_climate_preset", "Choose a thermostat's climate preset", OnePreset, "A", "ACTIVATE_CLIMATE_PRESET"),
    ("cool", "Have a thermostat cool", Cool, "AC", "SET_HVAC_MODE"),
    ("heat", "Have a thermostat heat", Heat, "AC", "SET_HVAC_MODE"),
    ("heat_cool", "Have a thermostat heat and cool", HeatCool, "AC", "SET_HVAC_MODE"),
    ("off", "Switch a thermostat off", Synced, "AC", "SET_HVAC_MODE"),
    ("set_hvac_mode", "Choose what a thermostat does", SetHvacMode, "AC", "SET_HVAC_MODE"),
    ("set_fan_mode", "Choose when a thermostat's fan runs", SetFanMode, "AC", "SET_FAN_MODE"),
    ("update_weekly_program", "Choose a thermostat's programs of the week", Week, "AC", "PUSH_THERMOSTAT_PROGRAMS"),
)
"""What makes an action attempt: word, what it does, parameters, credentials, its type."""
for _word, _about, _params, _auth, _type in COMMANDS:
    other_kind(
        f"/thermostats/{_word}", _about, _params, KIND, auth=_auth, action_type=_type, action_attempt=ActionAttempt
    )

SETTINGS: tuple[tuple[str, str, type[Params], str, tuple[str, ...] | None], ...] = (
    ("create_climate_preset", "Make a climate preset of a thermostat", NewPreset, "ACK", None),
    ("update_climate_preset", "Change a climate preset of a thermostat", Preset, "AC", None),
    ("delete_climate_preset", "Delete a climate preset of a thermostat", OnePreset, "AC", ("POST", "DELETE")),
    ("set_fallback_climate_preset", "Choose what holds when nothing else does", OnePreset, "A", None),
    ("set_temperature_threshold", "Choose which temperatures are told", SetThreshold, "A", PATCH),
    ("simulate/hvac_mode_adjusted", "Have somebody change what a thermostat does", ModeAdjusted, "A", None),
    ("simulate/temperature_reached", "Have a thermostat get warm or cold", TemperatureReached, "A", None),
)
"""What answers nothing: word, what it does, parameters, credentials, verbs."""
for _word, _about, _params, _auth, _verbs in SETTINGS:
    other_kind(f"/thermostats/{_word}", _about, _params, KIND, auth=_auth, methods=_verbs)

other_kind(
    "/thermostats/daily_programs/create",
    "Make a program for a day of a thermostat",
    NewProgram,
    KIND,
    auth="AC",
    thermostat_daily_program=ThermostatDailyProgram,
)
no_such(
    "/thermostats/daily_programs/update",
    "Change a program for a day",
    UpdateProgram,
    "thermostat_daily_program_id",
    auth="AC",
    action_type="PUSH_THERMOSTAT_PROGRAMS",
    action_attempt=ActionAttempt,
)
no_such(
    "/thermostats/daily_programs/delete",
    "Delete a program for a day",
    OneProgram,
    "thermostat_daily_program_id",
    auth="AC",
)
other_kind(
    "/thermostats/schedules/create",
    "Make a schedule of a thermostat",
    NewSchedule,
    KIND,
    auth="ACK",
    thermostat_schedule=ThermostatSchedule,
)
other_kind(
    "/thermostats/schedules/list",
    "List the schedules of a thermostat",
    ListSchedules,
    KIND,
    auth="ACKR",
    thermostat_schedules=list[ThermostatSchedule],
)
no_such(
    "/thermostats/schedules/get",
    "Get a schedule of a thermostat",
    OneSchedule,
    "thermostat_schedule_id",
    auth="AC",
    thermostat_schedule=ThermostatSchedule,
)
no_such(
    "/thermostats/schedules/update",
    "Change a schedule of a thermostat",
    UpdateSchedule,
    "thermostat_schedule_id",
    auth="AC",
)
no_such(
    "/thermostats/schedules/delete",
    "Delete a schedule of a thermostat",
    OneSchedule,
    "thermostat_schedule_id",
    auth="AC",
)
