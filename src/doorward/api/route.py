"""The table of routes: one entry a path, made where the handler stands.

The table feeds the server, the OpenAPI document, the coverage page and the contract tests. Paths are static words, so
finding one is a dictionary look-up. Verbs follow from the last word of the path; the few that do not are named.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_type_hints

from doorward.api.params import Checker, NoParams, Params

if TYPE_CHECKING:
    from doorward.api.request import Request


@dataclass(frozen=True)
class File:
    """An answer that is not JSON: a route that gives one declares its `media_type`."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]


Handler = Callable[["Request", Any], Awaitable[Mapping[str, Any] | File | None]]

# Who may call: A API key, or personal access token with a workspace; N personal access token without one; C client
# session; K customer's session; R read-only customer's session; P publishable key; "" anybody.
WORKSPACE = "A"
WORKSPACE_OR_CLIENT = "AC"
ANYONE = ""


@dataclass(frozen=True)
class Route:
    """One path."""

    path: str
    verbs: tuple[str, ...]
    auth: str
    handler: Handler | None
    """None: documented by Seam, not done here yet."""
    params: type[Params]
    returns: Mapping[str, Any]
    """Envelope key → type of what stands under it."""
    action_type: str | None = None
    pages: int | None = None
    """The default page length of a list that comes in pages."""
    undocumented: bool = False
    """Not part of Seam's API: an extension of ours."""
    media_type: str | None = None
    """What a successful answer is, when it is not JSON (see `File`)."""
    asks_device: bool = False
    """It needs the process that has the devices, though it only reads."""
    has_none: bool = False
    """This server has none of what it is about, and it says so."""
    judges_keys: bool = False
    """It leaves alone what the keys in its parameters name of others, as if that were not there."""

    @cached_property
    def check(self) -> Checker:
        return Checker(self.params)

    @cached_property
    def is_list(self) -> bool:
        return self.path.rsplit("/", 1)[-1].startswith("list") and self.path != "/devices/list_device_providers"

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").strip().partition("\n")[0].rstrip(".") if self.handler else ""

    @property
    def response_key(self) -> str | None:
        """The key that current SDKs read."""
        return next((k for k in self.returns if k != "pagination"), None)


ROUTES: dict[str, Route] = {}


def verbs_of(path: str) -> tuple[str, ...]:
    """POST, and the verb that the last word of the path suggests."""
    word = path.rsplit("/", 1)[-1]
    if word in ("get", "list") or (word.startswith(("list_", "get_")) and word != "get_or_create"):
        return ("GET", "POST")
    if word == "delete" or word.startswith("remove_"):
        return ("POST", "DELETE")
    if word == "update" or word.startswith("update_"):
        # Seam's SDKs have used PATCH and PUT for updates over the years.
        return ("POST", "PATCH", "PUT")
    return ("POST",)


def route(
    path: str,
    *,
    auth: str,
    returns: Mapping[str, Any] | None = None,
    methods: tuple[str, ...] | None = None,
    action_type: str | None = None,
    pages: int | None = None,
    undocumented: bool = False,
    media_type: str | None = None,
    asks_device: bool = False,
    has_none: bool = False,
    judges_keys: bool = False,
) -> Callable[[Handler], Handler]:
    """Put the decorated handler into the table. Its second parameter's annotation is the class of its parameters."""

    def register(handler: Handler) -> Handler:
        if path in ROUTES:
            raise ValueError(f"{path} is declared twice")
        hints = get_type_hints(handler)
        params = next((t for n, t in hints.items() if n in ("p", "_p")), NoParams)
        ROUTES[path] = Route(
            path=path,
            verbs=methods or verbs_of(path),
            auth=auth,
            handler=handler,
            params=params,
            returns=returns or {},
            action_type=action_type,
            pages=pages,
            undocumented=undocumented,
            media_type=media_type,
            asks_device=asks_device,
            has_none=has_none,
            judges_keys=judges_keys,
        )
        return handler

    return register


def not_yet() -> dict[str, Route]:
    """Paths that Seam documents and this server does not serve: `not_yet.txt`, one `path verbs auth` a line."""
    text = (files("doorward.api") / "not_yet.txt").read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            path, verbs, auth = line.split()
            found[path] = Route(path, tuple(verbs.split(",")), auth, None, NoParams, {})
    return found
