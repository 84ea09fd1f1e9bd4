"""Resources that this server has none of: access control systems, keys on phones, and what thermostats and noise
sensors have.

They are named in the description because lists of them are answered, always empty.
"""

import msgspec


class AcsAccessGroup(msgspec.Struct, kw_only=True):
    """An access group: this server has none."""

    acs_access_group_id: str
    """Its id."""


class AcsCredential(msgspec.Struct, kw_only=True):
    """A credential: this server has none."""

    acs_credential_id: str
    """Its id."""


class AcsEncoder(msgspec.Struct, kw_only=True):
    """An encoder of cards: this server has none."""

    acs_encoder_id: str
    """Its id."""


class AcsEntrance(msgspec.Struct, kw_only=True):
    """An entrance: this server has none."""

    acs_entrance_id: str
    """Its id."""


class AcsSystem(msgspec.Struct, kw_only=True):
    """An access control system: this server has none."""

    acs_system_id: str
    """Its id."""


class InstantKey(msgspec.Struct, kw_only=True):
    """An instant key: this server has none."""

    instant_key_id: str
    """Its id."""


class AcsUser(msgspec.Struct, kw_only=True):
    """A user of an access control system: this server has none."""

    acs_user_id: str
    """Its id."""


class NoiseThreshold(msgspec.Struct, kw_only=True):
    """A threshold of a noise sensor: this server has none."""

    noise_threshold_id: str
    """Its id."""


class Phone(msgspec.Struct, kw_only=True):
    """A phone with keys on it: this server has none."""

    device_id: str
    """Its id."""


class ThermostatDailyProgram(msgspec.Struct, kw_only=True):
    """A thermostat's program for a day: this server has none."""

    thermostat_daily_program_id: str
    """Its id."""


class ThermostatSchedule(msgspec.Struct, kw_only=True):
    """A schedule of a thermostat: this server has none."""

    thermostat_schedule_id: str
    """Its id."""


ABSENT: dict[type[msgspec.Struct], tuple[str, str]] = {
    AcsAccessGroup: ("acs_access_group", "/acs/access_groups"),
    AcsCredential: ("acs_credential", "/acs/credentials"),
    AcsEncoder: ("acs_encoder", "/acs/encoders"),
    AcsEntrance: ("acs_entrance", "/acs/entrances"),
    AcsSystem: ("acs_system", "/acs/systems"),
    AcsUser: ("acs_user", "/acs/users"),
    InstantKey: ("instant_key", "/instant_keys"),
    NoiseThreshold: ("noise_threshold", "/noise_sensors/noise_thresholds"),
    Phone: ("phone", "/phones"),
    ThermostatDailyProgram: ("thermostat_daily_program", "/thermostats/daily_programs"),
    ThermostatSchedule: ("thermostat_schedule", "/thermostats/schedules"),
}
"""Its name in the description, and the routes that are about it."""
