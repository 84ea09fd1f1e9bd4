"""What a browser posts: read with bounds, and checked to come from our own page.

The page works without cookies, since it is embedded in other sites' frames. What protects a form is a hidden value
that only a page opened with the webview's token can hold; where the browser says who is asking, that must fit too.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request

from doorward.core.context import Core
from doorward.providers.base import Field, LoginForm

MOST_BODY = 64 * 1024
MOST_TEXT = 256
"""Characters of one field. 2N passwords have up to 63."""
MOST_LINES_TEXT = 8_192
"""Characters of a field that takes several lines."""
MOST_FIELDS = 4000


class PageError(Exception):
    """The request cannot be answered with a step of the login."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.message = message


@dataclass(frozen=True)
class Posted:
    """The fields of a form."""

    values: Mapping[str, list[str]]

    def one(self, name: str) -> str:
        """The last value of a field; empty when it was not sent."""
        return self.values.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be sent many times."""
        return self.values.get(name, [])


def unreadable() -> PageError:
    """The form was not sent by our page, or was broken on the way."""
    return PageError(
        400, "This form could not be read", "Some of what was sent could not be read. Go back and type it again."
    )


async def read(request: Request) -> Posted:
    """Raises PageError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise unreadable()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY:
                raise PageError(413, "This is too much at once", "The form is too large. Go back and choose less.")
    except ClientDisconnect:
        raise unreadable() from None
    values: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:  # broken UTF-8 is one, too
        raise unreadable() from None
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise unreadable()
        values.setdefault(name, []).append(value)
    return Posted(values)


# ---------------------------------------------------------------- whose form it is


def csrf(core: Core, connect_webview_id: str, token: str) -> str:
    """The hidden value of this webview's forms."""
    return core.vault.digest("csrf", connect_webview_id, token)


def check_ours(core: Core, request: Request, posted: Posted, expected: str) -> None:
    """Raises PageError when the form was not sent by our own page."""
    if not (_same_site(core, request) and hmac.compare_digest(posted.one("csrf").encode(), expected.encode())):
        raise PageError(
            403,
            "This form was not sent from its own page",
            "For your safety nothing was done. Open the link you were given again, and continue there.",
        )


def _same_site(core: Core, request: Request) -> bool:
    """What the browser says about the sender, as far as it does.

    `Origin: null` is what browsers send from a page with our own referrer policy, so it says nothing.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin", "null")
    if origin == "null":
        return True
    hosts = {request.headers.get("host", "").lower()}
    if core.config.public_url:
        hosts.add(urlsplit(core.config.public_url).netloc.lower())
    return origin.lower().partition("://")[2] in hosts


# ---------------------------------------------------------------- logins


def most(field: Field) -> int:
    """Characters that a field takes."""
    return MOST_LINES_TEXT if field.kind == "lines" else MOST_TEXT


def typed(form: LoginForm, posted: Posted) -> dict[str, str]:
    """The fields of a login form. Spaces around anything but a password are a slip, and dropped."""
    values = {}
    for field in form.fields:
        if field.kind == "lines":
            # What was ticked among what was found stands beside what was typed.
            found = posted.all("found") if field.name == form.finds else []
            lines = [line.strip() for text in (posted.one(field.name), *found) for line in text.splitlines()]
            values[field.name] = "\n".join(dict.fromkeys(line for line in lines if line))
        else:
            text = posted.one(field.name)
            values[field.name] = text if field.kind == "password" else text.strip()
    return values


def mistakes(form: LoginForm, values: Mapping[str, str]) -> dict[str, str]:
    """What can be told without asking anybody: field → sentence."""
    wrong = {}
    for field in form.fields:
        name = field.label[:1].lower() + field.label[1:]
        value = values[field.name]
        if field.kind == "confirm":
            continue
        if not value and field.is_required:
            wrong[field.name] = f"Choose the {name}." if field.kind == "select" else f"Type the {name}."
        elif len(value) > most(field):
            wrong[field.name] = f"The {name} is too long. It has at most {most(field)} characters."
        elif field.kind == "select" and value not in dict(field.options):
            wrong[field.name] = f"Choose the {name}."
    return wrong
