"""Every option, once. Each is a flag of `doorward serve`, an environment variable, and a line of `doorward.toml`."""

import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from doorward.networks import DEVICE_NETWORKS, Networks, Ranges


def default_data_dir() -> Path:
    """Where the platform keeps a program's data."""
    return Path(platformdirs.user_data_dir("doorward", appauthor=False))


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
    mass_removal_guard: str = Field("20%", pattern=r"^(off|[0-9]{1,2}%|100%|[0-9]{1,6})$")
    """How many access codes may vanish from a device, or be tidied away there, in one go before that is doubted: a
    share (at least 5 codes), a number, or `off`."""
    backup_pool_size: int = Field(3, ge=1, le=50)
    """How many reserve codes a device's backup pool holds, where there is one."""
    webhook_allow: str = ""
    """Networks beside the Internet that webhooks may be in, e.g. `127.0.0.0/8` while developing."""
    webhook_retries: str = Field("5s,5m,30m,2h,5h,10h,10h", pattern=r"^([0-9]{1,6}[smh])(,[0-9]{1,6}[smh])*$")
    """Pauses before a failed delivery is tried again."""
    webhook_timeout: float = Field(15.0, gt=0, le=120)
    """Seconds that a receiver has for its answer."""
    webhook_disable_after: float = Field(5.0, gt=0, le=365)
    """Days of failures without a success after which a webhook is disabled."""
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
        file = os.environ.get("DOORWARD_CONFIG", "doorward.toml")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)
