"""`/health`: the server can serve. What orchestrators ask (`/livez`, `/readyz`) is in app.py."""

from typing import Any

from doorward.api.params import NoParams
from doorward.api.request import Request
from doorward.api.route import ANYONE, route
from doorward.wire.reply import ServiceHealth
from doorward.wire.time import iso

RETURNS: dict[str, Any] = {
    "msg": str,
    "last_service_evaluation_at": str,
    "service_health_statuses": list[ServiceHealth],
}


async def _health(req: Request) -> dict[str, Any]:
    await req.db.one("SELECT 1")
    return {
        "msg": "The server is well.",
        "last_service_evaluation_at": iso(req.core.clock.now()),
        "service_health_statuses": [
            ServiceHealth(service="database", status="healthy", description="The database answers."),
        ],
    }


@route("/health", auth=ANYONE, returns=RETURNS, methods=("GET", "POST"), undocumented=True)
async def health(req: Request, _p: NoParams) -> dict[str, Any]:
    """Tell whether the server can serve."""
    return await _health(req)


@route("/health/get_health", auth=ANYONE, returns=RETURNS, methods=("GET", "POST"), undocumented=True)
async def get_health(req: Request, _p: NoParams) -> dict[str, Any]:
    """Tell whether the server can serve."""
    return await _health(req)
