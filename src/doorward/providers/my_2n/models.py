"""2N's intercoms and access units that have the HTTP API, by the names they give themselves (`variant` of system/info,
as public code and the HTTP API manual name them). Access units have no camera."""

from typing import Final

from doorward.providers.base import Model

_INTERCOMS: Final = (
    *("2N IP Verso", "2N IP Verso 2.0", "2N LTE Verso", "2N IP Style", "2N IP One", "2N IP Solo", "2N IP Base"),
    *("2N IP Force", "2N IP Safety", "2N IP Vario", "2N IP Uni", "2N IP Video Kit"),
)
_WITHOUT_CAMERA: Final = (
    *("2N IP Audio Kit", "2N Access Unit", "2N Access Unit 2.0", "2N Access Unit M", "2N Access Unit QR"),
)
MODELS: Final = (*map(Model, _INTERCOMS), *(Model(name, has_camera=False) for name in _WITHOUT_CAMERA))
