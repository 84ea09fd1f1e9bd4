"""Events of access grants and access methods."""

from msgspec import UNSET, UnsetType

from doorward.wire.events.base import Event, event


class AboutGrant(Event, kw_only=True):
    """An access grant."""

    access_grant_id: str


@event("access_grant.created")
class AccessGrantCreated(AboutGrant, kw_only=True):
    """An access grant was created."""


@event("access_grant.access_granted_to_all_doors")
class AccessGrantedToAllDoors(AboutGrant, kw_only=True):
    """All doors of an access grant have all its methods."""


@event("access_grant.access_times_changed")
class AccessTimesChanged(AboutGrant, kw_only=True):
    """An access grant begins or ends at another time."""

    access_grant_key: str | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET


@event("access_grant.could_not_create_requested_access_methods")
class CouldNotCreateRequestedAccessMethods(AboutGrant, kw_only=True):
    """Some doors of an access grant could not be given one of its methods."""

    error_message: str
    missing_device_ids: list[str]


@event("access_grant.deleted")
class AccessGrantDeleted(AboutGrant, kw_only=True):
    """An access grant was deleted, and nothing of it is on any device."""


class AboutMethod(Event, kw_only=True):
    """An access method."""

    access_method_id: str
    access_grant_ids: list[str]
    access_grant_keys: list[str] | UnsetType = UNSET


@event("access_method.created")
class AccessMethodCreated(AboutMethod, kw_only=True):
    """An access method was created."""


@event("access_method.issued", "code")
class AccessMethodIssued(AboutMethod, kw_only=True):
    """An access method can be used."""

    code: str | UnsetType = UNSET
    is_backup_code: bool | UnsetType = UNSET


@event("access_method.reissued", "code")
class AccessMethodReissued(AccessMethodIssued, kw_only=True):
    """All doors have an access method's new times, or its new code."""


@event("access_method.delay_in_issuing")
class AccessMethodDelayInIssuing(AboutMethod, kw_only=True):
    """Some door should have an access method for some time now, and does not."""


@event("access_method.failed_to_issue")
class AccessMethodFailedToIssue(AboutMethod, kw_only=True):
    """Some door did not take an access method; it is tried again."""


@event("access_method.revoked")
class AccessMethodRevoked(AboutMethod, kw_only=True):
    """An access method is to open no door any more."""


@event("access_method.deleted")
class AccessMethodDeleted(AboutMethod, kw_only=True):
    """An access method was deleted, and nothing of it is on any device."""
