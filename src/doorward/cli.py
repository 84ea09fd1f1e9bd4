"""The command line."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from doorward import __version__, emulator_cli
from doorward.config import Config, complaints

T = TypeVar("T")

app = typer.Typer(
    help="A self-hosted server that speaks the Seam API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
api_key = typer.Typer(help="API keys.", no_args_is_help=True)
pat = typer.Typer(help="Personal access tokens.", no_args_is_help=True)
workspace = typer.Typer(help="Workspaces.", no_args_is_help=True)
app.add_typer(api_key, name="api-key")
app.add_typer(pat, name="pat")
app.add_typer(workspace, name="workspace")
app.add_typer(emulator_cli.app, name="emulator")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the database and the secret key live.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="postgresql://…: use PostgreSQL.")]


def configured(**flags: Any) -> Config:
    """Flags over environment over file. Ends the program with a sentence when an option is wrong."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Config(**given)
    except ValidationError as exc:
        for line in complaints(exc, given):
            typer.echo(line, err=True)
        raise typer.Exit(2) from None


def stored(config: Config, do: Callable[[Any, int], Awaitable[T]]) -> T:
    """Do something with the store, beside a server that may be running."""
    from doorward.clock import Clock
    from doorward.store.db import StoreError
    from doorward.store.open import open_store

    async def main() -> T:
        clock = Clock()
        db = await open_store(config.data_dir, config.database_url, clock=clock, exclusive=False)
        try:
            return await do(db, clock.now())
        finally:
            await db.close()

    try:
        return asyncio.run(main())
    except StoreError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(2) from None


def _version(value: bool) -> None:
    if value:
        typer.echo(f"doorward {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """A self-hosted server that speaks the Seam API."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one. [default: 8080]")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[int | None, typer.Option(help="Processes; above 1 needs PostgreSQL.")] = None,
    standby: Annotated[
        bool | None, typer.Option("--standby", help="Wait for another server to end, and take over; needs PostgreSQL.")
    ] = None,
    public_url: Annotated[str | None, typer.Option(help="The address users reach this server at.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
) -> None:
    """Run the server."""
    gc.disable()  # importing makes a great many objects and no garbage; on again when it serves
    from doorward.serve import serve as run

    run(
        configured(
            host=host,
            port=port,
            data_dir=data_dir,
            database_url=database_url,
            workers=workers,
            standby=standby,
            public_url=public_url,
            log_level=log_level,
            log_format=log_format,
        )
    )


@api_key.command("create")
def api_key_create(
    in_workspace: Annotated[
        str | None, typer.Option("--workspace", help="Name or id. [default: the sandbox workspace]")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "api key",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make an API key and print it; it cannot be shown again."""
    from doorward.core import workspaces

    check_name(name, "--name")

    async def make(tx: Any, now: int) -> str | int:
        """The key; how many workspaces have that name, if it is not one."""
        if in_workspace is None:
            found = [await workspaces.first_sandbox(tx, now)]
        else:
            found = await workspaces.find(tx, in_workspace)
        return (await workspaces.add_key(tx, now, found[0], name)).text if len(found) == 1 else len(found)

    key = stored(configured(data_dir=data_dir, database_url=database_url), lambda db, now: db.write(make, now))
    if isinstance(key, int):
        what = f"{key} workspaces are named" if key else "There is no workspace"
        how = "Give the id of one: doorward workspace list" if key else "Make it with: doorward workspace create"
        typer.echo(f"{what} {in_line(in_workspace or '(an empty name)')}. {how}", err=True)
        raise typer.Exit(2)
    typer.echo(key)


def check_name(name: str, hint: str) -> None:
    """A name that is to be stored. Ends the program with a sentence when a list could not show it in a line."""
    from doorward.core.workspaces import MOST_NAME

    if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
        raise typer.BadParameter(f"must have 1 to {MOST_NAME} characters that can be seen", param_hint=hint)


def in_line(text: str) -> str:
    """A text without line ends and what else a terminal acts on."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def told(credential: Any, *others: str) -> str:
    """A line about a key or token: id, its first part, when it was used last, its name."""
    from doorward.wire.time import iso

    used = f"last used {iso(credential.last_used_at)}" if credential.last_used_at else "never used"
    state = f"revoked {iso(credential.revoked_at)}" if credential.revoked_at else used
    return in_line("  ".join((f"seam_{credential.short}_…", state, *others, credential.name)))


@api_key.command("list")
def api_key_list(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List the API keys of all workspaces: their first parts, when they were last used, their workspaces and names."""
    from doorward.store import workspaces

    async def find(db: Any, _now: int) -> list[str]:
        names = {row.workspace_id: row.name for row in await workspaces.list_all(db.read)}
        return [told(key, f"[{names[key.workspace_id]}]") for key in await workspaces.keys(db.read)]

    for line in stored(configured(data_dir=data_dir, database_url=database_url), find):
        typer.echo(line)


@pat.command("list")
def pat_list(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List the personal access tokens: their first parts, when they were last used, their names."""
    from doorward.store import workspaces

    async def find(db: Any, _now: int) -> list[str]:
        return [told(token) for token in await workspaces.tokens(db.read)]

    for line in stored(configured(data_dir=data_dir, database_url=database_url), find):
        typer.echo(line)


def revoked(kind: str, text: str, config: Config) -> None:
    """Revoke what begins so. Ends the program with a sentence when there is no such thing."""
    from doorward.store import workspaces

    short = text.strip().removeprefix("seam_").partition("_")[0]
    if not stored(config, lambda db, now: db.write(workspaces.revoke, kind, short, now)):
        typer.echo(f"There is nothing to revoke that begins with seam_{short}_", err=True)
        raise typer.Exit(2)
    typer.echo(f"seam_{short}_… is revoked. A running server refuses it within five seconds.")


First = Annotated[str, typer.Argument(metavar="KEY", help="The key, or its first part: seam_test1234abcd")]


@api_key.command("revoke")
def api_key_revoke(key: First, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Revoke an API key, for good."""
    revoked("api_keys", key, configured(data_dir=data_dir, database_url=database_url))


@pat.command("revoke")
def pat_revoke(key: First, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Revoke a personal access token, for good."""
    revoked("personal_access_tokens", key, configured(data_dir=data_dir, database_url=database_url))


@pat.command("create")
def pat_create(
    name: Annotated[str, typer.Option(help="What it is for.")] = "token",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a personal access token and print it; it reaches every workspace of this server."""
    from doorward.core import workspaces

    check_name(name, "--name")
    config = configured(data_dir=data_dir, database_url=database_url)
    token = stored(config, lambda db, now: db.write(workspaces.add_personal_access_token, now, name))
    typer.echo(token.text)


@workspace.command("create")
def workspace_create(
    name: str,
    production: Annotated[bool, typer.Option("--production", help="For real devices; else a sandbox.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a workspace and print its id."""
    from doorward.core import workspaces

    check_name(name, "NAME")
    config = configured(data_dir=data_dir, database_url=database_url)
    row = stored(config, lambda db, now: db.write(workspaces.create, now, name, is_sandbox=not production))
    typer.echo(row.workspace_id)


@workspace.command("list")
def workspace_list(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List the workspaces: id, kind and name."""
    from doorward.store import workspaces

    for row in stored(
        configured(data_dir=data_dir, database_url=database_url), lambda db, _now: workspaces.list_all(db.read)
    ):
        typer.echo(f"{row.workspace_id}  {'sandbox   ' if row.is_sandbox else 'production'}  {in_line(row.name)}")
