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
from doorward.core.workspaces import partner_shown
from doorward.errors import ApiError, BadRequest, NotFound
from doorward.portal.acts import ACTS, SAID
from doorward.portal.entries import Entry, Tried, said, spoken
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
_templates.globals.update(asset=asset, shown=shown, spoken=spoken)


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
        visit = None
        try:
            visit = await self._visit(request)
            return await (self._post(request, visit) if request.method == "POST" else self._get(visit))
        except PageError as exc:
            return _problem(exc, visit)
        except ApiError as exc:
            return _problem(_page_error(exc), visit)
        except StoreUnavailable as exc:
            log.error("the store failed", path=request.url.path, reason=str(exc))
            text = "The server cannot store anything just now."
            return _problem(PageError(503, "Please try again in a moment", text), visit)
        except Exception:
            log.exception("unexpected failure", path=request.url.path)
            return _problem(PageError(500, "Something went wrong", "The mistake is ours. Please try once more."), visit)

    async def _get(self, visit: Visit) -> Response:
        if "at" not in visit.asked:
            return _redirect(visit, visit.address(**await first(visit)))
        return await self._page(visit)

    async def _post(self, request: Request, visit: Visit) -> Response:
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
            return await self._page(visit, Tried(posted, error))
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

    async def _page(self, visit: Visit, again: Tried | None = None) -> Response:
        """`again`: the form that was sent and not carried out."""
        name = visit.asked.get("at", visit.pages[0])
        view, is_there = VIEWS.get(name, (None, None))
        if view is None or is_there is None or not is_there(visit):
            raise PageError(404, "This page does not exist", "It may have been left out of this portal.")

        def entry(act: str, **about: str) -> Entry:
            return again.entry(act, about) if again else Entry()

        values: dict[str, Any] = {
            "again": again,
            "at": name,
            "csrf": self._csrf(visit),
            "entry": entry,
            "partner": partner_shown(visit.workspace),
            "said": SAID.get(visit.asked.get("said", "")) if again is None else None,
            "steps": None,
            "theme": theme_of(visit.workspace.customization_json),
            "visit": visit,
        }
        values |= await view(visit)
        html = _templates.get_template(f"portal/{name}.html").render(values)
        more = again.error.headers if again else {}
        return Response(html, again.error.status if again else 200, {**_headers(visit), **more}, "text/html")


def _redirect(visit: Visit, target: str) -> Response:
    return RedirectResponse(target, 303, _headers(visit))


def _page_error(error: ApiError) -> PageError:
    """What the API refused to show or to do, told on a page of its own."""
    if isinstance(error, NotFound):
        return PageError(404, "This is not here any more", "It was removed, or it does not belong to this portal.")
    if isinstance(error, BadRequest):
        return PageError(error.status, "This address cannot be right", "A part of it may be missing or mistyped.")
    return PageError(error.status, "That did not work", said(error))


def _problem(error: PageError, visit: Visit | None) -> Response:
    html = _templates.get_template("problem.html").render(
        title=error.title,
        message=error.message,
        theme=theme_of(visit.workspace.customization_json) if visit else Theme(),
        partner=partner_shown(visit.workspace) if visit else None,
        way_on=visit.address(at=visit.pages[0]) if visit else None,
    )
    return Response(html, error.status, _headers(visit), "text/html")


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
