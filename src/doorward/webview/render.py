"""Turns a login's state into a page."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.webviews import Visit
from doorward.core.workspaces import partner_shown
from doorward.providers.base import Discovers, OfferedDevice, Provider
from doorward.store.connect_webviews import WebviewRow
from doorward.webview import ending, steps
from doorward.webview.assets import asset
from doorward.webview.forms import PageError, most
from doorward.webview.hints import SANDBOX_LOGINS, access_asked_for
from doorward.webview.steps import Again
from doorward.webview.theme import Theme, theme_of

_templates = Environment(
    loader=PackageLoader("doorward.webview"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(asset=asset, most=most)


def headers(row: WebviewRow | None) -> dict[str, str]:
    """Headers of every page. Being embedded in any site is what a webview is for."""
    targets = ending.form_targets(row) if row else []
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'",
        " ".join(("form-action 'self'", *targets)),
        "base-uri 'none'; frame-ancestors *",
    )
    return {
        "cache-control": "no-store",
        "content-security-policy": "; ".join(policy),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }


def problem(error: PageError) -> Response:
    """A page for what is no step of a login."""
    html = _templates.get_template("problem.html").render(
        title=error.title, message=error.message, theme=Theme(), partner=None, way_on=None
    )
    return Response(html, error.status, headers(None), "text/html")


async def step(core: Core, visit: Visit, csrf: str, again: Again | None = None) -> Response:
    """The step that a login stands at; `again`: what was not right about what was typed."""
    name = steps.current(core, visit)
    provider = webviews.provider_of(core, visit)
    workspace = visit.workspace
    hint = SANDBOX_LOGINS.get(provider.key) if provider and workspace.is_sandbox else None
    values: dict[str, Any] = {
        "again": again,
        "brands": webviews.offered(core, visit),
        "csrf": csrf,
        "flow": visit.flow,
        "hint": hint,
        "partner": partner_shown(workspace),
        "provider": provider,
        "is_sandbox": bool(workspace.is_sandbox),
        "row": visit.row,
        "steps": _steps(provider, visit) if name in ("account", "choose", "device", "review") else None,
        "step_number": None,
        "is_chosen_by_now": visit.flow.account is not None and steps.is_chosen_by_now(visit),
        "theme": theme_of(workspace.customization_json),
    }
    if provider is not None:
        values |= {
            "account_form": provider.account_form(visit.place),
            "device_form": provider.device_form(visit.place),
            "can_search": isinstance(provider, Discovers) and bool(provider.account_form(visit.place).finds),
        }
    if name == "consent":
        values["access"] = access_asked_for(values["brands"])
    elif name == "device":
        assert provider is not None
        values |= {**_device(visit), "remembered": await webviews.remembered(core, visit, provider)}
    elif name == "review":
        values |= _review(visit)
    elif name == "ended":
        values |= {"went_well": visit.row.status == "authorized", "target": ending.redirect_url(visit.row)}
    if values["steps"]:
        chooses_at = values["steps"] - (values["device_form"] is not None)
        values["step_number"] = {"account": 1, "choose": chooses_at}.get(name, values["steps"])
    html = _templates.get_template(f"{name}.html").render(values)
    more = {"retry-after": str(again.retry_after)} if again and again.retry_after else {}
    return Response(html, again.status if again else 200, {**headers(visit.row), **more}, "text/html")


def _steps(provider: Provider | None, visit: Visit) -> int:
    """How many numbered steps a login has."""
    if provider is None:
        return 1 + (not steps.takes_all(visit))
    chooses = not steps.takes_all(visit) and not provider.account_form(visit.place).finds
    return 1 + chooses + (provider.device_form(visit.place) is not None)


def _device(visit: Visit) -> dict[str, Any]:
    flow = visit.flow
    device = flow.waiting[0]
    return {"device": device, "number": flow.chosen.index(device.ref) + 1, "left": len(flow.waiting) - 1}


def _review(visit: Visit) -> dict[str, Any]:
    chosen: list[OfferedDevice] = [d for ref in visit.flow.chosen if (d := visit.flow.offered(ref))]
    skipped = [d for d in chosen if d.ref in visit.flow.skipped]
    return {"ready": [d for d in chosen if d not in skipped], "skipped": skipped}
