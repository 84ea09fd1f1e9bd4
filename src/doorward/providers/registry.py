"""Brands: one folder each, and one line here."""

from collections.abc import Mapping

from doorward.clock import Clock
from doorward.config import Config
from doorward.providers.base import Provider, TwinStore
from doorward.providers.my_2n import provider as my_2n


def registry(config: Config, twins: TwinStore, clock: Clock) -> Mapping[str, Provider]:
    """Every brand this server can connect, by its key. Raises: ValueError for a setting that makes no sense."""
    brands: tuple[Provider, ...] = (my_2n.brand(config, twins, clock),)
    return {brand.key: brand for brand in brands}
