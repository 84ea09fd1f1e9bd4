"""Asking an emulator's control plane, for the commands of `doorward emulator`.

One command is one request, or two when no device is named. Nothing is kept, so dying half way leaves nothing behind.
"""

import json
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

PATIENCE_S: Final = 30.0

Control = Annotated[
    str,
    typer.Option("--control", envvar="DOORWARD_EMULATOR_CONTROL", help="Address of the control plane."),
]
Device = Annotated[str | None, typer.Option("--device", help="Serial number. [default: the first intercom]")]
AP = Annotated[int, typer.Option("--ap", min=0, max=1, help="Access point: 0 entry, 1 exit.")]
Outage = Annotated[float, typer.Option("--outage", min=0, max=3600, help="Seconds without power.")]
Matching = Annotated[str | None, typer.Option("--path", help="Only requests whose path contains this.")]
Times = Annotated[int | None, typer.Option("--times", min=1, help="How many requests suffer. [default: all]")]
CONTROL: Final = "http://127.0.0.1:8199"


def ask(control: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request to the control plane. Ends the program with a sentence when it cannot be had."""
    import http.client  # here, because `doorward serve` reads this module too
    import urllib.error
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    url = control.rstrip("/") + path
    try:
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the user's own address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as exc:
        try:
            sentence = json.load(exc)["error"]
        except (ValueError, KeyError, TypeError):
            sentence = f"The control plane answers {exc.code}."
        typer.echo(sentence, err=True)
        raise typer.Exit(1) from None
    except (OSError, ValueError, http.client.HTTPException):
        typer.echo(
            f"There is no control plane at {control}. Start one with: doorward emulator 2n --control-port 8199",
            err=True,
        )
        raise typer.Exit(2) from None


def do(
    control: str, device: str | None, method: str, path: str, body: dict[str, Any] | None = None, *, show: bool = True
) -> Any:
    """One request about one device, None being the first. Prints the answer, unless there is nothing in it."""
    if device is None:
        device = ask(control, "GET", "/devices")["devices"][0]["serial"]
    answer = ask(control, method, f"/devices/{quote(device, safe='')}{path}", body)
    if show and answer:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    return answer


def given(**fields: Any) -> dict[str, Any]:
    """A body of what was given."""
    return {name: value for name, value in fields.items() if value is not None}
