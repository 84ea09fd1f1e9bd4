"""Files of the page: style, script, pictures. Read once, named by their content, and so kept by browsers for good."""

import hashlib
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from doorward.webview import theme

TYPES = {
    "css": "text/css; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
}
FOR_GOOD = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"

_folder = resources.files("doorward.webview") / "static"
FILES = {file.name: file.read_bytes() for file in _folder.iterdir() if file.name.rpartition(".")[2] in TYPES}
VERSIONS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in FILES.items()}


def asset(name: str) -> str:
    """A file's address, as seen from the page."""
    return f"../assets/webview/{VERSIONS[name]}/{name}"


def routes() -> list[BaseRoute]:
    """Everything under `/assets/`, and the icon that browsers ask for by themselves."""
    return [
        Route("/assets/webview/theme/{colours}.css", _theme),
        Route("/assets/webview/{version}/{name}", _file),
        Route("/assets/images/devices/{name}.png", _picture),
        Route("/favicon.ico", _icon),
    ]


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return _answer(None, "txt")
    is_this = request.path_params["version"] == VERSIONS[name]
    return _answer(FILES[name], name.rpartition(".")[2], FOR_GOOD if is_this else "no-cache")


async def _theme(request: Request) -> Response:
    css = theme.style_sheet(request.path_params["colours"])
    return _answer(css.encode() if css else None, "css", FOR_GOOD)


async def _picture(_: Request) -> Response:
    """Every device has the same picture: our own drawing of an intercom."""
    return _answer(FILES["intercom.png"], "png", A_DAY)


async def _icon(_: Request) -> Response:
    return _answer(FILES["favicon.ico"], "ico", A_DAY)


def _answer(content: bytes | None, kind: str, caching: str = "no-store") -> Response:
    if content is None:
        return Response("Not found\n", 404, {"x-content-type-options": "nosniff"}, "text/plain")
    headers = {"cache-control": caching, "x-content-type-options": "nosniff"}
    if kind == "svg":
        headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(content, 200, headers, TYPES[kind])
