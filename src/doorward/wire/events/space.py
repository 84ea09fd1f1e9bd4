"""Events of spaces."""

from msgspec import UNSET, UnsetType

from doorward.wire.events.base import Event, event


class AboutSpace(Event, kw_only=True):
    """What is in it, after the change."""

    space_id: str
    space_key: str | UnsetType = UNSET
    device_ids: list[str]
    acs_entrance_ids: list[str] = []


@event("space.created")
class SpaceCreated(AboutSpace, kw_only=True):
    """A space was created."""


@event("space.device_membership_changed")
class SpaceDeviceMembershipChanged(AboutSpace, kw_only=True):
    """Devices were put into a space, or taken out of it."""


@event("space.deleted")
class SpaceDeleted(AboutSpace, kw_only=True):
    """A space was deleted."""
