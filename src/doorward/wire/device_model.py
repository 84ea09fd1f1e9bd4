"""Makers and models of devices, as Seam's web components read them."""

import msgspec


class Picture(msgspec.Struct, kw_only=True):
    """A picture."""

    url: str
    """Where it is."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""


class Maker(msgspec.Struct, kw_only=True):
    """Who makes devices."""

    manufacturer_id: str
    """Its id."""
    display_name: str
    """Its name."""
    logo: Picture
    """Its picture."""
    integration: str
    """Older name of `integration_support_level`."""
    integration_support_level: str
    """How well it is supported: `stable`, `beta` and so on."""
    is_connect_webview_supported: bool = True
    """Its devices are connected through a connect webview."""
    requires_seam_support_to_add_account: bool = False
    """Nobody has to be asked for that."""
    device_model_count: int
    """Models that are known."""
    annotations: list[dict[str, str]] = []
    """What should be known besides."""


class Variant(msgspec.Struct, kw_only=True):
    """What a model looks like."""

    slug: str = "default"
    """Its name in addresses."""
    display_name: str = "Default"
    """Its name."""
    front_image: Picture
    """From the front."""
    images: list[Picture]
    """All pictures."""


class IntercomProperties(msgspec.Struct, kw_only=True):
    """What an intercom has."""

    has_camera: bool
    """A camera."""


class IntercomFeatures(msgspec.Struct, kw_only=True):
    """What can be done with an intercom."""

    can_remotely_unlock: bool = True
    """It can be unlocked from here."""
    can_program_access_codes: bool = True
    """Access codes can be set."""


class DeviceModel(msgspec.Struct, kw_only=True):
    """A model of an intercom."""

    device_model_id: str
    """Its id."""
    manufacturer: Maker
    """Who makes it."""
    is_device_supported: bool = True
    """It can be connected."""
    display_name: str
    """Its name."""
    description: str
    """What it is."""
    main_category: str = "intercom"
    """Its kind."""
    main_connection_type: str = "unknown"
    """How it is on the network: the words that Seam has for it do not say `cable`."""
    hardware: dict[str, bool] = {}
    """What it has."""
    power_sources: tuple[str, ...] = ("ethernet",)
    """What it runs on."""
    aesthetic_variants: list[Variant]
    """What it looks like."""
    physical_properties: IntercomProperties
    """What it has, as an intercom."""
    software_features: IntercomFeatures
    """What can be done with it."""
