"""Every option, once. Each is an environment variable and a line of `doorward.toml`; some are flags, too."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from doorward.networks import DEVICE_NETWORKS, Networks, Ranges


def default_data_dir() -> Path:
    """Where the platform keeps a program's data."""
    return Path(platformdirs.user_data_dir("doorward", appauthor=False))


UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 24 * 3_600_000}
OFF = "off"
MOST_DAYS = 365


def pauses_ms(text: str) -> tuple[int, ...]:
    """`5s,5m` as milliseconds; `off` or nothing: none. Raises: ValueError, a sentence that says what to write."""
    parts = [part.strip() for part in text.split(",")]
    if parts in ([""], [OFF]):
        return ()
    if not all(re.fullmatch(r"[0-9]{1,6}[smhd]", part) for part in parts):
        raise ValueError("write pauses like 5s,5m,2h, or off")
    return tuple(int(part[:-1]) * UNITS_MS[part[-1]] for part in parts)


class Config(BaseSettings):
    """The server's configuration. `DOORWARD_<NAME>` in the environment; flags win over it, and it over the file."""

    model_config = SettingsConfigDict(
        env_prefix="DOORWARD_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` reaches the network: put TLS in front of it."""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the database and the secret key live."""
    database_url: str | None = Field(None, repr=False)
    """`postgresql://…`: use PostgreSQL instead of SQLite in the data directory."""
    workers: int = Field(1, ge=1, le=64)
    """Processes. More than one needs PostgreSQL."""
    standby: bool = False
    """When another server works on the database, wait until it ends, and take over. Needs PostgreSQL."""
    public_url: str | None = None
    """The address users reach this server at, when it differs from what they type (a proxy). Default: as requested."""
    secret_key: str | None = Field(None, repr=False)
    """Key for stored logins and PINs, 16 characters or more. Default: `secret.key` in the data directory."""
    command_wait: float = Field(3.0, ge=0, le=30)
    """Seconds a lock or unlock request waits for the device before it answers `pending`."""
    command_deadline: float = Field(10.0, gt=0, le=120)
    """Seconds after which a lock or unlock that was not sent yet is given up."""
    rate_limits: Literal["default", "documented", "off"] = "default"
    """Seam's per-device limits. `documented`: everywhere; `default`: in production workspaces only; `off`: nowhere."""
    device_networks: str = DEVICE_NETWORKS
    """Networks real devices may be in, separated by commas. Default: private ones, and this machine (the emulator)."""
    device_discovery: str = ""
    """Addresses that "Search the network" may try: `192.168.1.0/24`, `10.0.0.10-10.0.0.40`, `192.168.1.7:8443`."""
    my2n_raa_url: str | None = None
    """My2N Remote API Access: the address of a device's API there, with `{device}` in its path. Not public; ask 2N."""
    my2n_raa_header: str | None = Field(None, repr=False)
    """The header that lets this server through, as `Name: value`."""
    mass_removal_guard: str = "20%"
    """How many access codes may vanish from a device, or be tidied away there, in one go before that is doubted: a
    share (at least 5 codes), a number, or `off`."""
    backup_pool_size: int = Field(3, ge=1, le=50)
    """How many reserve codes a device's backup pool holds, where there is one."""
    webhook_allow: str = ""
    """Networks beside the Internet that webhooks may be in, e.g. `127.0.0.0/8` while developing."""
    webhook_retries: str = "5s,5m,30m,2h,5h,10h,10h"
    """Pauses before a failed delivery is tried again, or `off`."""
    webhook_timeout: float = Field(15.0, gt=0, le=120)
    """Seconds that a receiver has for its answer."""
    webhook_disable_after: float | None = 5.0
    """Days of failures without a success after which a webhook is disabled, or `off`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged."""
    log_format: Literal["text", "json"] = "text"
    """`json` for machines."""

    @field_validator("device_networks", "webhook_allow")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        Networks.parse(text)
        return text

    @field_validator("device_discovery")
    @classmethod
    def _are_ranges(cls, text: str) -> str:
        Ranges.parse(text)
        return text

    @field_validator("mass_removal_guard")
    @classmethod
    def _is_guard(cls, text: str) -> str:
        if not re.fullmatch(r"off|[0-9]{1,2}%|100%|[0-9]{1,6}", text):
            raise ValueError("write a share like 20%, a number of access codes, or off")
        return text

    @field_validator("webhook_retries")
    @classmethod
    def _are_pauses(cls, text: str) -> str:
        text = text.strip().lower()
        pauses_ms(text)
        return text

    @field_validator("webhook_disable_after", mode="before")
    @classmethod
    def _is_days(cls, given: Any) -> float | None:
        text = str(given).strip().lower()
        if text == OFF:
            return None
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", text) or not 0 < float(text) <= MOST_DAYS:
            raise ValueError(f"write days, {MOST_DAYS} at most, like 5 or 0.5, or off")
        return float(text)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the file (`doorward.toml` here, or `DOORWARD_CONFIG`)."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=_file())


def _file() -> str:
    return os.environ.get("DOORWARD_CONFIG", "doorward.toml")


def complaints(error: ValidationError, flags: Collection[str]) -> list[str]:
    """What is wrong with settings, each named as it was given. `flags`: options that were given as such."""

    def given(name: str) -> str:
        variable = f"DOORWARD_{name.upper()}"
        if name in flags:
            return "--" + name.replace("_", "-")
        return variable if variable in map(str.upper, os.environ) else f"{name} in {_file()}"

    return [f"{given(str(one['loc'][0]))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
