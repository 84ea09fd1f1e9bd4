"""`/internal/devicedb/v1/*`: makers and models that can be connected, as Seam's web components ask for them."""

from collections.abc import Iterator
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from doorward.api.params import Id, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.errors import DeviceModelNotFound, ManufacturerNotFound
from doorward.providers.base import Model, Provider
from doorward.store.db import Where
from doorward.wire.device_model import DeviceModel, IntercomFeatures, IntercomProperties, Maker, Picture, Variant

ROOT = "/internal/devicedb/v1"
LEVEL = "beta"
"""How well they are supported, in Seam's words: the emulator has met the driver, few devices have."""
Level = Literal["stable", "beta", "planned", "unsupported", "inquire"]


def _id(*names: str) -> str:
    """The same on every server."""
    return str(uuid5(NAMESPACE_URL, "/".join(("doorward", *names))))


def _picture(req: Request) -> Picture:
    return Picture(url=f"{req.base_url}/assets/images/devices/intercom.png", width=512, height=512)


def _maker(req: Request, provider: Provider) -> Maker:
    return Maker(
        manufacturer_id=_id(provider.key),
        display_name=provider.display_name,
        logo=_picture(req),
        integration=LEVEL,
        integration_support_level=LEVEL,
        device_model_count=len(provider.models),
    )


def _model(req: Request, provider: Provider, model: Model) -> DeviceModel:
    return DeviceModel(
        device_model_id=_id(provider.key, model.name),
        manufacturer=_maker(req, provider),
        display_name=model.name,
        description=model.name,
        aesthetic_variants=[Variant(images=[_picture(req)], front_image=_picture(req))],
        physical_properties=IntercomProperties(has_camera=model.has_camera),
        software_features=IntercomFeatures(),
    )


def _all(req: Request) -> Iterator[DeviceModel]:
    for provider in req.core.providers.values():
        for model in provider.models:
            yield _model(req, provider, model)


class ListMakers(Params):
    """Parameters of manufacturers/list."""

    integration_support_levels: list[Level] | None = None
    """Only those that are supported so well."""


@route(f"{ROOT}/manufacturers/list", auth="ACKR", returns={"manufacturers": list[Maker]}, undocumented=True)
async def list_manufacturers(req: Request, p: ListMakers) -> dict[str, Any]:
    """List makers whose devices can be connected."""
    req.narrow(Where())  # they are the same for everybody
    is_wanted = p.integration_support_levels is None or LEVEL in p.integration_support_levels
    return {"manufacturers": [_maker(req, one) for one in req.core.providers.values() if one.models and is_wanted]}


class OneMaker(Params):
    """Parameters of manufacturers/get."""

    manufacturer_id: Id
    """The maker."""


@route(f"{ROOT}/manufacturers/get", auth="ACKR", returns={"manufacturer": Maker}, undocumented=True)
async def get_manufacturer(req: Request, p: OneMaker) -> dict[str, Any]:
    """Get a maker."""
    for provider in req.core.providers.values():
        if p.manufacturer_id == _id(provider.key):
            return {"manufacturer": _maker(req, provider)}
    raise ManufacturerNotFound(data={"manufacturer_id": p.manufacturer_id})


class ListModels(ListMakers):
    """Parameters of device_models/list."""

    main_category: str | None = None
    """Only those of this kind, as `intercom`."""
    manufacturer_id: Id | None = None
    """Only those of this maker."""
    manufacturer_ids: list[Id] | None = None
    """Only those of these makers."""
    text_search: str | None = None
    """Only those with this text in their name or their maker's."""


@route(f"{ROOT}/device_models/list", auth="ACKR", returns={"device_models": list[DeviceModel]}, undocumented=True)
async def list_models(req: Request, p: ListModels) -> dict[str, Any]:
    """List models that can be connected."""
    req.narrow(Where())  # they are the same for everybody
    makers = {*(p.manufacturer_ids or ()), *([p.manufacturer_id] if p.manufacturer_id else ())}
    text = (p.text_search or "").lower().strip()

    def is_wanted(one: DeviceModel) -> bool:
        maker = one.manufacturer
        return (
            (not makers or maker.manufacturer_id in makers)
            and (p.integration_support_levels is None or LEVEL in p.integration_support_levels)
            and (p.main_category is None or p.main_category == one.main_category)
            and text in f"{maker.display_name} {one.display_name}".lower()
        )

    return {"device_models": [one for one in _all(req) if is_wanted(one)]}


class OneModel(Params):
    """Parameters of device_models/get."""

    device_model_id: Id
    """The model."""


@route(f"{ROOT}/device_models/get", auth="ACKR", returns={"device_model": DeviceModel}, undocumented=True)
async def get_model(req: Request, p: OneModel) -> dict[str, Any]:
    """Get a model."""
    for one in _all(req):
        if one.device_model_id == p.device_model_id:
            return {"device_model": one}
    raise DeviceModelNotFound(data={"device_model_id": p.device_model_id})
