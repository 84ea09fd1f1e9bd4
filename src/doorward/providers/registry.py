"""Brands: one folder each, and one line here."""

from collections.abc import Mapping

from doorward.clock import Clock
from doorward.providers.base import Provider, TwinStore
from doorward.providers.my_2n.provider import MyTwoN


def registry(twins: TwinStore, clock: Clock) -> Mapping[str, Provider]:
    """Every brand this server can connect, by its key."""
    brands: tuple[Provider, ...] = (MyTwoN(twins, clock),)
    return {brand.key: brand for brand in brands}
