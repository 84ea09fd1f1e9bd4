"""`/workspaces/*`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from doorward.api import action_attempts
from doorward.api.params import NOT_BLANK, NULL, Form, NoParams, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import workspaces
from doorward.errors import NotImplementedYet
from doorward.store import workspaces as store
from doorward.wire.action_attempt import ActionAttempt
from doorward.wire.workspace import Workspace


@route("/workspaces/get", auth="ACKR", returns={"workspace": Workspace})
async def get(req: Request, _p: NoParams) -> dict[str, Any]:
    """Get the workspace of the credentials."""
    row = await store.get(req.db, req.workspace_id) or req.workspace  # as it is now, not when the caller was known
    return {"workspace": workspaces.wire(req.core, row)}


@route("/workspaces/list", auth="ANC", returns={"workspaces": list[Workspace]})
async def list_(req: Request, _p: NoParams) -> dict[str, Any]:
    """List workspaces: the one of an API key, all of a personal access token without workspace."""
    rows = await store.list_all(req.db)
    if req.caller.workspace is not None:
        req.is_narrowed = True
        rows = [row for row in rows if row.workspace_id == req.workspace_id]
    return {"workspaces": [workspaces.wire(req.core, row) for row in rows]}


WorkspaceName = Annotated[str, StringConstraints(min_length=1, max_length=workspaces.MOST_NAME), NOT_BLANK]
Colour = Annotated[str, Form(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", "Must be a colour such as #0055aa")]
Message = Annotated[str, StringConstraints(max_length=1_000)]


class Customization(BaseModel):
    """How connect webviews look; null: as they are by themselves."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True, frozen=True)

    logo_shape: Annotated[Literal["circle", "square"], NULL] | None = None
    """Shape of the logo."""
    primary_button_color: Annotated[Colour, NULL] | None = None
    """Colour of the main button, as `#0055aa`."""
    primary_button_text_color: Annotated[Colour, NULL] | None = None
    """Colour of its text; one that cannot be read on it is replaced."""
    success_message: Annotated[Message, NULL] | None = None
    """What the last page says."""

    def given(self) -> dict[str, str | None]:
        """The members that the caller named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Create(Params):
    """Parameters of create."""

    name: WorkspaceName
    """Its name."""
    company_name: WorkspaceName | None = None
    """Another name of `connect_partner_name`."""
    connect_partner_name: Annotated[WorkspaceName, NULL] | None = None
    """The name that end users see; the workspace's own when there is none."""
    connect_webview_customization: Customization | None = None
    """How connect webviews look."""
    is_sandbox: bool = False
    """True: for virtual devices only; false: for real ones only."""
    organization_id: str | None = None
    """Without effect: a self-hosted server has one operator."""
    webview_logo_shape: Literal["circle", "square"] | None = None
    """Older place of `logo_shape`."""
    webview_primary_button_color: Colour | None = None
    """Older place of `primary_button_color`."""
    webview_primary_button_text_color: Colour | None = None
    """Older place of `primary_button_text_color`."""
    webview_success_message: Message | None = None
    """Older place of `success_message`."""


@route("/workspaces/create", auth="N", returns={"workspace": Workspace})
async def create(req: Request, p: Create) -> dict[str, Any]:
    """Create a workspace. Make keys to it by `doorward api-key create`, or use the token with its id."""
    older = {name: getattr(p, f"webview_{name}") for name in Customization.model_fields}
    newer = p.connect_webview_customization.given() if p.connect_webview_customization else {}
    row = await req.write(
        workspaces.create,
        req.core.clock.now(),
        p.name,
        is_sandbox=p.is_sandbox,
        partner_name=p.connect_partner_name or p.company_name,
        customization={**older, **newer},
    )
    return {"workspace": workspaces.wire(req.core, row)}


class Update(Params):
    """Parameters of update."""

    connect_partner_name: WorkspaceName | None = None
    """The name that end users see."""
    connect_webview_customization: Customization | None = None
    """How connect webviews look; what is not named stays, null takes a member away."""
    is_publishable_key_auth_enabled: bool | None = None
    """True: client sessions can be made with the workspace's publishable key."""
    is_suspended: bool | None = None
    """Workspaces are not suspended here: only false is taken."""
    name: WorkspaceName | None = None
    """Its name."""
    organization_id: str | None = None
    """Without effect: a self-hosted server has one operator."""


@route("/workspaces/update", auth="A")
async def update(req: Request, p: Update) -> None:
    """Change a workspace's names, how its connect webviews look, or whether it takes publishable keys."""
    if p.is_suspended:
        raise NotImplementedYet("Doorward does not suspend workspaces.")
    await req.write(
        workspaces.change,
        req.core,
        req.workspace_id,
        name=p.name,
        partner_name=p.connect_partner_name,
        customization=p.connect_webview_customization.given() if p.connect_webview_customization else {},
        takes_publishable_keys=p.is_publishable_key_auth_enabled,
    )


@route(
    "/workspaces/reset_sandbox",
    auth="A",
    returns={"action_attempt": ActionAttempt},
    action_type="RESET_SANDBOX_WORKSPACE",
)
async def reset_sandbox(req: Request, _p: NoParams) -> dict[str, Any]:
    """Bring a sandbox workspace back to its beginning. Its name, its keys and its webhooks stay; all else goes."""
    attempt = await req.write(workspaces.begin_reset, req.core, req.workspace)
    return {"action_attempt": await action_attempts.shown(req, await workspaces.reset(req.core, attempt))}
