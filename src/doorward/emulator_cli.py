"""`doorward emulator`: run emulated intercoms, and do things to running ones through their control plane.

Each command but `2n` is one request. It prints what the control plane answers, as JSON, or nothing when there is
nothing to say; it ends with 1 and the control plane's sentence when that refuses, with 2 when there is none.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from doorward.emulator_client import AP, CONTROL, Control, Device, Matching, Outage, Times, ask, do, given

app = typer.Typer(help="Emulated devices, and what happens to them.", no_args_is_help=True)


@app.command("2n")
def run_2n(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="First TCP port; 0 takes free ones.", min=0, max=65535)] = 8100,
    count: Annotated[int | None, typer.Option(help="How many intercoms. [default: 1, or one per model]", min=1)] = None,
    tls: Annotated[bool, typer.Option("--tls", help="HTTPS with a self-signed certificate.")] = False,
    user: Annotated[str, typer.Option(help="HTTP API account.")] = "jane",
    password: Annotated[str, typer.Option(help="Its password.")] = "1234",  # noqa: S107 - the documented example
    control_port: Annotated[
        int | None, typer.Option(help="Control plane on this loopback port; 0: a free one.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="verso, style, solo, uni or access-unit; several are taken in turn.")
    ] = None,
    firmware: Annotated[list[str] | None, typer.Option(help="current, old or new; several are taken in turn.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Device name; several are taken in turn.")] = None,
    serial: Annotated[str | None, typer.Option(help="Serial number of the first; the others count on.")] = None,
    zone: Annotated[str, typer.Option(help="Time zone; empty: none is set.")] = "UTC",
    state: Annotated[Path | None, typer.Option(help="Keep the intercoms in this directory.")] = None,
    unlicensed: Annotated[bool, typer.Option("--unlicensed", help="All but system/* answers code 5.")] = False,
    quirk: Annotated[list[str] | None, typer.Option(help="NAME=VALUE: another answer to an open question.")] = None,
) -> None:
    """Run emulated 2N IP intercoms until stopped; prints one line of JSON when they are ready."""
    from doorward.providers.my_2n.emulator import Options, quirks_named
    from doorward.providers.my_2n.emulator import serve as run

    models = ",".join(model or ["verso"])
    try:
        options = Options(
            host=host,
            port=port,
            count=count or len(models.split(",")),
            tls=tls,
            user=user,
            password=password,
            control_port=control_port,
            model=models,
            firmware=",".join(firmware or ["current"]),
            names=tuple(name or ()),
            serial=serial,
            zone=zone,
            state=state,
            is_unlicensed=unlicensed,
            quirks=quirks_named(quirk or ()),
        )
        asyncio.run(run(options))
    except (ValueError, OSError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(2) from None


# ---------------------------------------------------------------- looking


@app.command()
def devices(control: Control = CONTROL) -> None:
    """List the intercoms: serial number, model, address, and whether it is on."""
    for row in ask(control, "GET", "/devices")["devices"]:
        typer.echo(
            f"{row['serial']}  {row['model']:<11}  {row['url']}  {'on' if row['online'] else 'off'}  {row['name']}"
        )


@app.command()
def show(control: Control = CONTROL, device: Device = None) -> None:
    """Show an intercom's whole state."""
    do(control, device, "GET", "")


@app.command()
def requests(
    control: Control = CONTROL,
    device: Device = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget them afterwards.")] = False,
) -> None:
    """Show what an intercom was asked: verb, path, status, error code. No secrets."""
    for row in do(control, device, "GET", "/requests", show=False)["requests"]:
        query = f"?{row['query']}" if row["query"] else ""
        code = "" if row["code"] is None else f" (code {row['code']})"
        typer.echo(f"{row['method']} {row['path']}{query} {row['status'] or 'no answer'}{code}")
    if clear:
        do(control, device, "DELETE", "/requests")


@app.command()
def counters(
    control: Control = CONTROL,
    device: Device = None,
    reset: Annotated[bool, typer.Option("--reset", help="Start from zero afterwards.")] = False,
) -> None:
    """Show what an intercom was asked, in numbers."""
    do(control, device, "GET", "/counters")
    if reset:
        do(control, device, "DELETE", "/counters")


# ---------------------------------------------------------------- in front of the door


@app.command()
def keys(keys: str, control: Control = CONTROL, device: Device = None) -> None:
    """Press keys, one after the other: digits, `*`, `#`, `%1` for quick dial 1."""
    do(control, device, "POST", "/keys", {"keys": keys})


@app.command()
def pin(pin: str, control: Control = CONTROL, device: Device = None) -> None:
    """Type a PIN and confirm it."""
    do(control, device, "POST", "/keys", {"keys": f"{pin}*"})


@app.command()
def ring(
    button: Annotated[int, typer.Argument(min=1, max=150)] = 1, control: Control = CONTROL, device: Device = None
) -> None:
    """Press a quick dial button."""
    do(control, device, "POST", "/keys", {"keys": [f"%{button}"]})


@app.command()
def answer(control: Control = CONTROL, device: Device = None) -> None:
    """Answer the call."""
    do(control, device, "POST", "/calls/answer", {})


@app.command("hang-up")
def hang_up(control: Control = CONTROL, device: Device = None) -> None:
    """End the call."""
    do(control, device, "POST", "/calls/hang-up", {})


@app.command()
def card(uid: str, reader: str = "ext1", ap: AP = 0, control: Control = CONTROL, device: Device = None) -> None:
    """Swipe a card."""
    do(control, device, "POST", "/cards", {"uid": uid, "reader": reader, "ap": ap})


@app.command("mobile-key")
def mobile_key(authid: str, ap: AP = 0, control: Control = CONTROL, device: Device = None) -> None:
    """Open with a telephone that holds a mobile key."""
    do(control, device, "POST", "/mobile-keys", {"authid": authid, "ap": ap})


@app.command()
def finger(
    user: Annotated[str | None, typer.Argument(help="Whose, by UUID; without: nobody's.")] = None,
    ap: AP = 0,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Touch the fingerprint reader."""
    do(control, device, "POST", "/fingers", given(user=user, ap=ap))


@app.command()
def plate(plate: str, ap: AP = 0, control: Control = CONTROL, device: Device = None) -> None:
    """Drive up with a licence plate."""
    do(control, device, "POST", "/plates", {"plate": plate, "ap": ap})


@app.command("exit-button")
def exit_button(control: Control = CONTROL, device: Device = None) -> None:
    """Press the request-to-exit button."""
    do(control, device, "POST", "/exit-button", {})


@app.command()
def door(
    state: Annotated[str, typer.Argument(help="open or closed")], control: Control = CONTROL, device: Device = None
) -> None:
    """Open or close the door, as its contact tells."""
    do(control, device, "PUT", "/door", {"state": {"close": "closed"}.get(state, state)})


@app.command("input")
def set_input(port: str, state: bool, control: Control = CONTROL, device: Device = None) -> None:
    """Set an input, such as `input2` or `tamper`, to 1 or 0."""
    do(control, device, "PUT", f"/inputs/{quote(port, safe='')}", {"state": state})


# ---------------------------------------------------------------- power


@app.command()
def reboot(outage: Outage = 2.0, control: Control = CONTROL, device: Device = None) -> None:
    """Reboot."""
    do(control, device, "POST", "/reboot", {"outage": outage}, show=False)


@app.command("power-cut")
def power_cut(outage: Outage = 2.0, control: Control = CONTROL, device: Device = None) -> None:
    """Cut the power."""
    do(control, device, "POST", "/power-cut", {"outage": outage}, show=False)


@app.command("factory-reset")
def factory_reset(outage: Outage = 2.0, control: Control = CONTROL, device: Device = None) -> None:
    """Reset to factory settings: no accounts, no directory, another series."""
    do(control, device, "POST", "/factory-reset", {"outage": outage}, show=False)


# ---------------------------------------------------------------- settings


@app.command()
def fill(
    count: int,
    owner: Annotated[str, typer.Option(help="Who keeps them: ACOM, My2N or anything else.")] = "",
    pins: Annotated[bool, typer.Option(help="Give each a PIN.")] = True,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Fill the directory with users."""
    do(control, device, "POST", "/directory/fill", {"count": count, "owner": owner, "pins": pins})


@app.command("new-series")
def new_series(
    empty: Annotated[bool, typer.Option("--empty", help="Lose the entries too.")] = False,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Give the directory another series, as a restored backup does."""
    do(control, device, "POST", "/directory/series", {"empty": empty})


@app.command()
def clock(
    offset: Annotated[float | None, typer.Option(help="Seconds ahead of the right time.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone; empty: none is set.")] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Skew the clock, or change its zone."""
    do(control, device, "PUT", "/clock", given(offset=offset, zone=zone))


@app.command()
def account(
    name: str,
    password: Annotated[str | None, typer.Option(help="A new one; needed for a new account.")] = None,
    privilege: Annotated[list[str] | None, typer.Option(help="Such as system-control; several; `all`; `none`.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Make or change one of the five HTTP API accounts."""
    privileges = [] if privilege == ["none"] else privilege
    body = given(password=password, privileges=privileges, enabled=enabled)
    do(control, device, "PUT", f"/accounts/{quote(name, safe='')}", body)


@app.command()
def service(
    name: str,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    connection: Annotated[str | None, typer.Option(help="tcp or tls")] = None,
    authentication: Annotated[str | None, typer.Option(help="none, basic or digest")] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Change how a service is reached."""
    body = given(enabled=enabled, connection=connection, authentication=authentication)
    do(control, device, "PUT", f"/services/{quote(name, safe='')}", body)


@app.command()
def switch(
    number: int,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    mode: Annotated[str | None, typer.Option(help="monostable or bistable")] = None,
    duration: Annotated[int | None, typer.Option(help="Seconds of a pulse.")] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Configure a switch."""
    do(control, device, "PUT", f"/switches/{number}", given(enabled=enabled, mode=mode, duration=duration))


@app.command()
def certificate(control: Control = CONTROL, device: Device = None) -> None:
    """Swap the certificate; prints the new one's fingerprint."""
    typer.echo(do(control, device, "POST", "/certificate", {}, show=False)["fingerprint"])


@app.command()
def address(
    port: Annotated[int, typer.Argument(min=0, max=65535)] = 0, control: Control = CONTROL, device: Device = None
) -> None:
    """Move the intercom to another port (0: a free one); prints its address."""
    typer.echo(do(control, device, "POST", "/address", {"port": port}, show=False)["url"])


# ---------------------------------------------------------------- troubles


def _arm(control: str, device: str | None, kind: str, **fields: Any) -> None:
    do(control, device, "POST", "/faults", given(kind=kind, **fields))


@app.command()
def fault(
    kind: Annotated[str, typer.Argument(help="Such as reply-lost; a wrong one lists all.")],
    path: Matching = None,
    times: Times = None,
    seconds: Annotated[float | None, typer.Option(min=0)] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Arm a fault."""
    _arm(control, device, kind, path=path, times=times, seconds=seconds)


@app.command()
def faults(control: Control = CONTROL, device: Device = None) -> None:
    """List the armed faults."""
    found = do(control, device, "GET", "", show=False)["faults"]
    if found:
        typer.echo(json.dumps(found, indent=2))


@app.command()
def clear(
    kind: Annotated[str | None, typer.Argument(help="Without: all.")] = None,
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Disarm faults."""
    do(control, device, "DELETE", "/faults", given(kind=kind))


@app.command()
def nonces(
    what: Annotated[str, typer.Argument(help="`age` (the next answer is stale) or `forget`.")],
    control: Control = CONTROL,
    device: Device = None,
) -> None:
    """Age or forget the nonces handed out."""
    kinds = {"age": "stale-nonce", "forget": "forget-nonces"}
    if what not in kinds:
        typer.echo("Nonces can `age` or be forgotten: `forget`.", err=True)
        raise typer.Exit(2)
    _arm(control, device, kinds[what])


@app.command()
def drop(path: Matching = None, times: Times = 1, control: Control = CONTROL, device: Device = None) -> None:
    """Do what the next request asks for, then drop the line half way through the reply."""
    _arm(control, device, "truncate", path=path, times=times)


@app.command()
def delay(
    seconds: float, path: Matching = None, times: Times = None, control: Control = CONTROL, device: Device = None
) -> None:
    """Let every answer wait."""
    _arm(control, device, "slow", path=path, times=times, seconds=seconds)


@app.command()
def deny(path: Matching = None, times: Times = None, control: Control = CONTROL, device: Device = None) -> None:
    """Answer that the account has not the privileges."""
    _arm(control, device, "no-privilege", path=path, times=times)
