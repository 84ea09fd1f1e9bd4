"""`/connect_webviews/view`: the page where an owner logs in, and the files it needs.

One address for the whole login. A GET shows the step it stands at; a form that was right is answered with a redirect
to the same address, so that going back and reloading do no harm; one that was not shows the step again.
"""

import asyncio
import re
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.webviews import Visit
from doorward.errors import ConnectWebviewNotFound
from doorward.store.db import StoreUnavailable
from doorward.webview import assets, ending, forms, render, steps
from doorward.webview.forms import PageError
from doorward.webview.steps import Again, Turn
from doorward.webview.throttle import Throttle

log = structlog.get_logger()

_ID = re.compile(r"[0-9a-fA-F-]{1,64}")
_TOKEN = re.compile(r"[0-9A-Za-z]{1,128}")


def routes(core: Core) -> list[BaseRoute]:
    """The page, its files, and the pictures of devices."""
    return [Route("/connect_webviews/view", Pages(core).answer, methods=["GET", "POST"]), *assets.routes()]


def unknown_page() -> PageError:
    """The same for an id that does not exist and a token that is wrong."""
    return PageError(
        404,
        "This link does not work",
        "It may be incomplete, or it may have been withdrawn. Ask whoever sent it to you for a new one.",
    )


class Pages:
    """Answers for the page."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._throttle = Throttle(core.clock)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def answer(self, request: Request) -> Response:
        """The page, whatever happens."""
        try:
            return await (self._post(request) if request.method == "POST" else self._get(request))
        except PageError as exc:
            return render.problem(exc)
        except ConnectWebviewNotFound:  # deleted meanwhile
            return render.problem(unknown_page())
        except StoreUnavailable as exc:
            log.error("the store failed", path=request.url.path, reason=str(exc))
            return render.problem(
                PageError(503, "Please try again in a moment", "The server cannot store anything just now.")
            )
        except Exception:
            log.exception("unexpected failure", path=request.url.path)
            return render.problem(
                PageError(500, "Something went wrong", "The mistake is ours. Open your link again and try once more.")
            )

    async def _get(self, request: Request) -> Response:
        visit = await self._visit(request)
        return await render.step(self._core, visit, self._csrf(request))

    async def _post(self, request: Request) -> Response:
        visit = await self._visit(request)
        posted = await forms.read(request)
        forms.check_ours(self._core, request, posted, self._csrf(request))
        if posted.one("step") == "cancel":
            return self._go_on(request, await webviews.fail(self._core, visit))
        async with self._turn(visit):
            visit = await self._visit(request)
            try:
                turn = Turn(self._core, self._throttle, visit, posted)
                return self._go_on(request, await steps.act(turn))
            except Again as again:
                return await render.step(self._core, again.visit or visit, self._csrf(request), again)

    def _turn(self, visit: Visit) -> asyncio.Lock:
        """Forms of one webview are dealt with one after the other: what is sent twice finds the first one done."""
        return self._turns.setdefault(visit.row.connect_webview_id, asyncio.Lock())

    async def _visit(self, request: Request) -> Visit:
        """Raises PageError."""
        connect_webview_id, token = _names(request)
        visit = None
        if _ID.fullmatch(connect_webview_id) and _TOKEN.fullmatch(token):
            visit = await webviews.visit(self._core, connect_webview_id, token)
        if visit is None:
            raise unknown_page()
        return visit

    def _csrf(self, request: Request) -> str:
        return forms.csrf(self._core, *_names(request))

    @staticmethod
    def _go_on(request: Request, visit: Visit) -> Response:
        """To the next step, or away from here."""
        connect_webview_id, token = _names(request)
        here = f"view?{urlencode({'connect_webview_id': connect_webview_id, 'auth_token': token})}"
        target = ending.redirect_url(visit.row) or here
        return RedirectResponse(target, 303, render.headers(visit.row))


def _names(request: Request) -> tuple[str, str]:
    return request.query_params.get("connect_webview_id", ""), request.query_params.get("auth_token", "")
