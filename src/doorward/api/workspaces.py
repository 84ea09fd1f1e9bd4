"""`/workspaces/*`."""

from typing import Any

from doorward.api.params import NoParams
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import workspaces
from doorward.store import workspaces as store
from doorward.wire.workspace import Workspace


@route("/workspaces/get", auth="ACKR", returns={"workspace": Workspace})
async def get(req: Request, _p: NoParams) -> dict[str, Any]:
    """Get the workspace of the credentials."""
    return {"workspace": workspaces.wire(req.core, req.workspace)}


@route("/workspaces/list", auth="ANC", returns={"workspaces": list[Workspace]})
async def list_(req: Request, _p: NoParams) -> dict[str, Any]:
    """List workspaces: the one of an API key, all of a personal access token without workspace."""
    rows = [req.workspace] if req.caller.workspace else await store.list_all(req.db)
    return {"workspaces": [workspaces.wire(req.core, row) for row in rows]}
