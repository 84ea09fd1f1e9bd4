"""Answers of `get_related`: what belongs to one thing. Lists that were not asked for are left out."""

import msgspec
from msgspec import UNSET, UnsetType

from doorward.wire.absent import AcsAccessGroup, AcsCredential, AcsEntrance, AcsSystem, InstantKey
from doorward.wire.access_grant import AccessGrant, AccessMethod
from doorward.wire.client_session import ClientSession
from doorward.wire.connected_account import ConnectedAccount
from doorward.wire.device import Device
from doorward.wire.space import Space
from doorward.wire.user_identity import UserIdentity


class SpaceBatch(msgspec.Struct, kw_only=True):
    """Spaces and what is in them."""

    spaces: list[Space] | UnsetType = UNSET
    """The spaces."""
    devices: list[Device] | UnsetType = UNSET
    """Devices in them."""
    acs_entrances: list[AcsEntrance] | UnsetType = UNSET
    """Always empty."""
    connected_accounts: list[ConnectedAccount] | UnsetType = UNSET
    """Accounts in them, and of their devices."""
    acs_systems: list[AcsSystem] | UnsetType = UNSET
    """Always empty."""
    access_methods: list[AccessMethod] | UnsetType = UNSET
    """Methods of the access grants for them."""


class GrantBatch(msgspec.Struct, kw_only=True):
    """What access grants lead to, who has them, and by which means."""

    spaces: list[Space] | UnsetType = UNSET
    """Spaces that they lead to."""
    devices: list[Device] | UnsetType = UNSET
    """Devices that they lead to."""
    acs_entrances: list[AcsEntrance] | UnsetType = UNSET
    """Always empty."""
    connected_accounts: list[ConnectedAccount] | UnsetType = UNSET
    """Accounts of these devices."""
    acs_systems: list[AcsSystem] | UnsetType = UNSET
    """Always empty."""
    user_identities: list[UserIdentity] | UnsetType = UNSET
    """Who has them."""
    acs_access_groups: list[AcsAccessGroup] | UnsetType = UNSET
    """Always empty."""
    access_methods: list[AccessMethod] | UnsetType = UNSET
    """By which means."""


class MethodBatch(msgspec.Struct, kw_only=True):
    """What access methods belong to, and where they lead."""

    spaces: list[Space] | UnsetType = UNSET
    """Spaces that they open."""
    devices: list[Device] | UnsetType = UNSET
    """Devices that they open."""
    acs_entrances: list[AcsEntrance] | UnsetType = UNSET
    """Always empty."""
    access_grants: list[AccessGrant] | UnsetType = UNSET
    """The grants that they are part of."""
    access_methods: list[AccessMethod] | UnsetType = UNSET
    """The methods."""
    instant_keys: list[InstantKey] | UnsetType = UNSET
    """Always empty."""
    client_sessions: list[ClientSession] | UnsetType = UNSET
    """Always empty: methods here need none."""
    acs_credentials: list[AcsCredential] | UnsetType = UNSET
    """Always empty."""
