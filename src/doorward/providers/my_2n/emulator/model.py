"""Model profiles: what distinguishes a Verso from an Access Unit as far as the HTTP API shows.

The directory fields per family follow the vendor's published automated tests; ports and switch counts are typical
examples. Nothing here changes while an intercom runs.
"""

from dataclasses import dataclass
from typing import Final, Literal

PortType = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Model:
    """One product."""

    key: str
    """Short name for options and snapshots: `verso`."""
    variant: str
    """`system/info`'s marketing name."""
    firmware_package: str
    """Family key of `system/info`; decides which directory fields exist."""
    variant_id: int
    hw_version: str
    sw_version: str = "2.50.0.76.2"
    switches: int = 4
    ports: tuple[tuple[str, PortType], ...] = (
        ("relay1", "output"),
        ("output1", "output"),
        ("input1", "input"),
        ("input2", "input"),
        ("tamper", "input"),
    )
    """Names and directions, in the order of `io/caps`."""
    switch_outputs: tuple[str, ...] = ("relay1", "output1")
    """The output each switch drives, by position; switches beyond drive none."""
    has_camera: bool = True
    has_keypad: bool = True
    has_phone: bool = True
    has_readers: bool = True
    directory_fields: frozenset[str] = frozenset()
    """Field patterns of this family, `[]` standing for an index."""
    codes: int = 4
    """Personal switch codes of a user."""


_ALWAYS = {"uuid", "deleted", "timestamp", "owner", "name"}
_CALLS = {"callPos[].peer", "callPos[].profiles", "callPos[].grouped"}
_ACCESS = {
    "email",
    "access.validFrom",
    "access.validTo",
    "access.accessPoints[].enabled",
    "access.accessPoints[].profiles",
    "access.pin",
    "access.accessException",
    "access.code[]",
    "access.licensePlates",
}
_READERS = {"access.virtCard", "access.card[]", "access.liftFloors"}
_BIOMETRY = {"access.mobkey", "access.pairingExpired", "access.fpt"}

_VERSO = frozenset(
    _ALWAYS
    | _CALLS
    | _ACCESS
    | _READERS
    | _BIOMETRY
    | {"photo", "treepath", "virtNumber", "deputy", "buttons", "callPos[].ipEye"}
)
_STYLE = frozenset((_VERSO - {"buttons"}) | {"recordType", "highlighting"})
_UNI = frozenset(_ALWAYS | _CALLS | {"buttons", "access.code[]"})
_ACCESS_UNIT = frozenset(_ALWAYS | _ACCESS | _READERS | _BIOMETRY)

VERSO: Final = Model(
    key="verso",
    variant="2N IP Verso",
    firmware_package="verso",
    variant_id=21,
    hw_version="570v3",
    directory_fields=_VERSO,
)
STYLE: Final = Model(
    key="style",
    variant="2N IP Style",
    firmware_package="style",
    variant_id=29,
    hw_version="610v2",
    ports=(
        ("relay1", "output"),
        ("relay2", "output"),
        ("input1", "input"),
        ("input2", "input"),
        ("tamper", "input"),
    ),
    switch_outputs=("relay1", "relay2"),
    directory_fields=_STYLE,
)
SOLO: Final = Model(
    key="solo",
    variant="2N IP Solo",
    firmware_package="verso",
    variant_id=22,
    hw_version="577v1",
    has_keypad=False,
    has_readers=False,
    directory_fields=_VERSO,
)
UNI: Final = Model(
    key="uni",
    variant="2N IP Uni",
    firmware_package="uni",
    variant_id=18,
    hw_version="550v1",
    switches=1,
    ports=(("relay1", "output"),),
    switch_outputs=("relay1",),
    has_camera=False,
    has_readers=False,
    directory_fields=_UNI,
    codes=1,
)
ACCESS_UNIT: Final = Model(
    key="access-unit",
    variant="2N Access Unit 2.0",
    firmware_package="accessunit2",
    variant_id=25,
    hw_version="590v2",
    switches=2,
    has_camera=False,
    has_phone=False,
    directory_fields=_ACCESS_UNIT,
    codes=2,
)

MODELS: Final[dict[str, Model]] = {model.key: model for model in (VERSO, STYLE, SOLO, UNI, ACCESS_UNIT)}
"""Profiles by their key."""
