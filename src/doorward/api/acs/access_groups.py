"""`/acs/access_groups/*`."""

from doorward.api.absent import empty, no_such
from doorward.api.acs.shared import PUT, OneGroup, Person, PersonOfSystem
from doorward.wire.absent import AcsAccessGroup, AcsEntrance, AcsUser

ID = "acs_access_group_id"


class List(PersonOfSystem):
    """Parameters of list."""

    search: str | None = None
    """Only those that contain this text in name or id."""


class Member(Person, OneGroup):
    """Parameters of add_user and remove_user."""


empty("/acs/access_groups/list", "List access groups", List, auth="A", acs_access_groups=list[AcsAccessGroup])
no_such("/acs/access_groups/get", "Get an access group", OneGroup, ID, auth="A", acs_access_group=AcsAccessGroup)
no_such("/acs/access_groups/delete", "Delete an access group", OneGroup, ID, auth="AC")
no_such("/acs/access_groups/add_user", "Add a user to an access group", Member, ID, auth="A", methods=PUT)
no_such("/acs/access_groups/remove_user", "Remove a user from an access group", Member, ID, auth="A")
no_such(
    "/acs/access_groups/list_users",
    "List the users in an access group",
    OneGroup,
    ID,
    auth="A",
    acs_users=list[AcsUser],
)
no_such(
    "/acs/access_groups/list_accessible_entrances",
    "List the entrances that an access group opens",
    OneGroup,
    ID,
    auth="A",
    acs_entrances=list[AcsEntrance],
)
