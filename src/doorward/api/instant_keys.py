"""`/instant_keys/*`: links that open a key on a phone, of which this server has none."""

from doorward.api.absent import empty, no_such
from doorward.api.params import Id, Params
from doorward.wire.absent import InstantKey


class List(Params):
    """Parameters of list."""

    user_identity_id: Id | None = None
    """Only those of this person."""


class Get(Params):
    """Parameters of get."""

    instant_key_id: Id | None = None
    """The instant key."""
    instant_key_url: str | None = None
    """Its address."""


class Delete(Params):
    """Parameters of delete."""

    instant_key_id: Id
    """The instant key."""


empty("/instant_keys/list", "List instant keys", List, auth="A", instant_keys=list[InstantKey])
no_such(
    "/instant_keys/get",
    "Get an instant key",
    Get,
    "instant_key_id",
    "instant_key_url",
    auth="A",
    instant_key=InstantKey,
)
no_such("/instant_keys/delete", "Delete an instant key", Delete, "instant_key_id", auth="A")
