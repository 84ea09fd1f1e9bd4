"""From a request to a page and back.

Every page has the address of the portal and `at=`, which names it; a form that was right is answered with a redirect,
one that was not shows its page again with what the API said. As with webviews, there are no cookies: the link is the
key, and a form is ours when it holds a value that only a page opened with the link can hold.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import structlog
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from doorward.api.auth import session_caller
from doorward.api.dispatch import Api, base_url
from doorward.core import portals
from doorward.core.context import Core
from doorward.core.workspaces import partner_name
from doorward.errors import ApiError, NotFound, RateLimited
from doorward.portal.acts import ACTS, SAID
from doorward.portal.times import shown
from doorward.portal.views import VIEWS, first
from doorward.portal.visit import Visit
from doorward.store.db import StoreUnavailable
from doorward.webview import forms, render
from doorward.webview.assets import asset
from doorward.webview.forms import PageError
from doorward.webview.theme import Theme, theme_of

log = structlog.get_logger()

_ID = re.compile(r"[0-9A-Za-z_]{1,64}")
_TOKEN = re.compile(r"[0-9A-Za-z_=-]{1,64}")

_templates = Environment(
    loader=ChoiceLoader([PackageLoader("doorward.portal"), PackageLoader("doorward.webview")]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(asset=asset, shown=shown)


def routes(core: Core, api: Api) -> list[BaseRoute]:
    """The page. Its files are those of webviews."""
    return [Route("/portal/view", Pages(core, api).answer, methods=["GET", "POST"])]


class Pages:
    """Answers for the page."""

    def __init__(self, core: Core, api: Api) -> None:
        self._core = core
        self._api = api

    async def answer(self, request: Request) -> Response:
        """The page, whatever happens."""
        try:
            return await (self._post(request) if request.method == "POST" else self._get(request))
        except PageError as exc:
            return _problem(exc)
        except NotFound:
            return _problem(PageError(404, "This is not here any more", "Go back, and load the page again."))
        except StoreUnavailable as exc:
            log.error("the store failed", path=request.url.path, reason=str(exc))
            return _problem(
                PageError(503, "Please try again in a moment", "The server cannot store anything just now.")
            )
        except Exception:
            log.exception("unexpected failure", path=request.url.path)
            return _problem(PageError(500, "Something went wrong", "The mistake is ours. Please try once more."))

    async def _get(self, request: Request) -> Response:
        visit = await self._visit(request)
        if "at" not in visit.asked:
            return _redirect(visit, visit.address(**await first(visit)))
        return await self._page(visit)

    async def _post(self, request: Request) -> Response:
        visit = await self._visit(request)
        posted = await forms.read(request)
        forms.check_ours(self._core, request, posted, self._csrf(visit))
        act, view = ACTS.get(posted.one("act"), (None, ""))
        if act is None or not VIEWS[view][1](visit):
            raise forms.unreadable()
        try:
            then = await act(visit, posted)
        except NotFound:
            raise
        except ApiError as error:
            return await self._page(visit, error)
        return _redirect(visit, then if isinstance(then, str) else visit.address(**then))

    async def _visit(self, request: Request) -> Visit:
        """Raises PageError."""
        portal_id, token = (request.query_params.get(name, "") for name in ("portal_id", "auth_token"))
        found = None
        if _ID.fullmatch(portal_id) and _TOKEN.fullmatch(token):
            found = await portals.open_portal(self._core, portal_id, token)
        if found is None:
            text = "It may be incomplete, or its time is over. Ask whoever sent it to you for a new one."
            raise PageError(404, "This link does not work", text)
        row, workspace, portal = found
        return Visit(
            core=self._core,
            api=self._api,
            caller=session_caller(row, workspace),
            base=base_url(self._core.config.public_url, request.scope, dict(request.scope["headers"])),
            row=row,
            workspace=workspace,
            portal=portal,
            token=token,
            asked={name: value for name, value in request.query_params.items() if "\0" not in value},
        )

    def _csrf(self, visit: Visit) -> str:
        return forms.csrf(self._core, visit.row.short, visit.token)

    async def _page(self, visit: Visit, error: ApiError | None = None) -> Response:
        name = visit.asked.get("at", visit.pages[0])
        view, is_there = VIEWS.get(name, (None, None))
        if view is None or is_there is None or not is_there(visit):
            raise PageError(404, "This page does not exist", "Go back, and choose another one.")
        values: dict[str, Any] = {
            "alert": error.message if error else None,
            "at": name,
            "csrf": self._csrf(visit),
            "partner": partner_name(visit.workspace),
            "said": SAID.get(visit.asked.get("said", "")) if error is None else None,
            "steps": None,
            "theme": theme_of(visit.workspace.customization_json),
            "visit": visit,
        }
        values |= await view(visit)
        html = _templates.get_template(f"portal/{name}.html").render(values)
        more = {}
        if isinstance(error, RateLimited):
            more = dict(error.headers)
        return Response(html, error.status if error else 200, {**_headers(visit), **more}, "text/html")


def _redirect(visit: Visit, target: str) -> Response:
    return RedirectResponse(target, 303, _headers(visit))


def _problem(error: PageError) -> Response:
    html = _templates.get_template("problem.html").render(
        title=error.title, message=error.message, theme=Theme(), partner=None
    )
    return Response(html, error.status, _headers(None), "text/html")


def _headers(visit: Visit | None) -> dict[str, str]:
    """Headers of every page. Only a portal that is made for it may stand in another site's frame."""
    headers = render.headers(None)
    policy = headers["content-security-policy"]
    if visit is None or not visit.portal.is_embedded:
        policy = policy.replace("frame-ancestors *", "frame-ancestors 'none'")
    if visit is not None:  # connecting an account leads to this server's public address
        address = urlsplit(visit.base)
        policy = policy.replace("form-action 'self'", f"form-action 'self' {address.scheme}://{address.netloc}")
    return {**headers, "content-security-policy": policy}
