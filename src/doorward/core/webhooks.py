"""Webhooks: where events go, how they are signed, and what becomes of each delivery.

    event ──▶ outbox ──▶ one delivery for each webhook ──▶ tries, until it is taken or given up

The outbox row is written in the event's own transaction. First tries are made while the event stands there, and its
deliveries are written in the transaction that takes it out again, with what came of those that were quick; what came of
any other try after the receiver has answered. So nothing is lost when the process dies between any two of them; what
had been sent and not been written down is sent again. Receivers tell repeats by the event's id, which is `svix-id`.

Whoever changes webhooks, or takes deliveries away, holds the lock `webhooks`, as storing does, and voids what was read
ahead (`core.sending`): once it is answered, nothing begins that it has ended.
"""

import base64
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from doorward.config import pauses_ms
from doorward.core import events
from doorward.core.context import Core
from doorward.errors import DeliveryNotFound, InvalidEventTypes, InvalidInput, WebhookIsDisabled, WebhookNotFound
from doorward.ids import new_id
from doorward.networks import Networks, Receivers
from doorward.store import deliveries, webhooks
from doorward.store.db import Reader, Tx
from doorward.store.deliveries import DeliveryRow, OutboxRow
from doorward.store.webhooks import WebhookRow
from doorward.web_address import WebAddress
from doorward.wire import webhook as wire_types
from doorward.wire.events.documented import names
from doorward.wire.events.webhook import WebhookDisabled
from doorward.wire.time import iso, iso_or_none

SECRET = "what a webhook signs with"  # noqa: S105 - what it is for, not what it is
SECRET_PREFIX = "whsec_"  # noqa: S105 - how each begins
ALL = "*"
LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
BELL = "deliver"
LOCK = "webhooks"
MOST_OF_WORKSPACE = 100
OLD_SECRET_MS = 24 * 3_600_000
"""How long a secret that was replaced still signs."""
MOST_OLD_SECRETS = 5
DAY_MS = 24 * 3_600_000
MOST_SECRETS = 1_000


def receivers(core: Core) -> Receivers:
    return Receivers(Networks.parse(core.config.webhook_allow))


# ---------------------------------------------------------------- rules


def check_url(core: Core, url: str) -> str:
    """An address that events may be posted to, as far as it says so itself. Raises InvalidInput."""
    try:
        where = WebAddress.parse(url)
    except ValueError as exc:
        raise InvalidInput.of("url", str(exc)) from None
    ip = LOOPBACK if where.host.removesuffix(".") == "localhost" else where.ip
    if ip is not None and not receivers(core).allows(ip):
        raise InvalidInput.of("url", Receivers.refusal(ip))
    return url


def check_types(event_types: Sequence[str]) -> str:
    """As they are stored. Raises InvalidEventTypes."""
    if not event_types:
        raise InvalidEventTypes("Name at least one event type")
    if unknown := sorted(set(event_types) - names() - {ALL}):
        raise InvalidEventTypes(f"There are no events of these types: {', '.join(unknown)[:500]}")
    return msgspec.json.encode(list(dict.fromkeys(event_types))).decode()


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


async def create(tx: Tx, core: Core, workspace_id: str, url: str, event_types: Sequence[str]) -> WebhookRow:
    """A new webhook: it gets what happens from now on."""
    types = check_types(event_types)
    await tx.lock(LOCK)
    if len(await webhooks.of_workspace(tx, workspace_id)) >= MOST_OF_WORKSPACE:
        raise InvalidInput(f"A workspace has {MOST_OF_WORKSPACE} webhooks at most")
    row = WebhookRow(
        workspace_id=workspace_id,
        webhook_id=new_id(),
        url=url,
        event_types_json=types,
        secret_sealed=core.vault.seal(new_secret(), SECRET),
        old_secrets_json="[]",
        failing_since=None,
        disabled_at=None,
        created_at=core.clock.now(),
    )
    await webhooks.add(tx, row)
    tx.after_commit(lambda: core.listened_to.add(workspace_id))
    return row


async def get(read: Reader, workspace_id: str, webhook_id: str) -> WebhookRow:
    """Raises WebhookNotFound."""
    row = await webhooks.get(read, workspace_id, webhook_id)
    if row is None:
        raise WebhookNotFound(data={"webhook_id": webhook_id})
    return row


async def change(tx: Tx, core: Core, workspace_id: str, webhook_id: str, event_types: Sequence[str]) -> None:
    """Other events from now on: what waits and is none of them is given up. One that was disabled is tried again, with
    all that waits for it."""
    types = check_types(event_types)
    await tx.lock(LOCK)
    row = await get(tx, workspace_id, webhook_id)
    await webhooks.change(tx, row, event_types_json=types, failing_since=None, disabled_at=None)
    if ALL not in event_types:
        await deliveries.give_up_others(tx, workspace_id, webhook_id, set(event_types))
    _look_again(tx, core)


def _look_again(tx: Tx, core: Core) -> None:
    """What was read ahead is void, and something may be due."""
    tx.after_commit(core.sending.forget)
    tx.after_commit(lambda: core.wake.ring(BELL))


async def rotate(tx: Tx, core: Core, workspace_id: str, webhook_id: str) -> WebhookRow:
    """A new secret. For a day the one before signs beside it, so that the receiver can change without missing anything,
    however often that happens in the day: five are kept."""
    await tx.lock(LOCK)
    tx.after_commit(core.sending.forget)
    row, now = await get(tx, workspace_id, webhook_id), core.clock.now()
    old = [(row.secret_sealed, now + OLD_SECRET_MS), *_old_secrets(row, now)][:MOST_OLD_SECRETS]
    return await webhooks.change(
        tx,
        row,
        secret_sealed=core.vault.seal(new_secret(), SECRET),
        old_secrets_json=msgspec.json.encode(old).decode(),
    )


_decode_old = msgspec.json.Decoder(list[tuple[str, int]]).decode


def _old_secrets(row: WebhookRow, now: int) -> list[tuple[str, int]]:
    """Those that were replaced and still sign, sealed, and until when."""
    if row.old_secrets_json == "[]":  # as nearly always
        return []
    return [one for one in _decode_old(row.old_secrets_json) if one[1] > now]


async def delete(tx: Tx, core: Core, workspace_id: str, webhook_id: str) -> None:
    """With everything that waits for it."""
    await tx.lock(LOCK)
    tx.after_commit(core.sending.forget)
    await get(tx, workspace_id, webhook_id)
    await webhooks.delete(tx, workspace_id, webhook_id)


async def replay(tx: Tx, core: Core, workspace_id: str, delivery_id: str) -> DeliveryRow:
    """Have an event sent again, whatever became of it; if that fails, with all the pauses of a new one."""
    row = await deliveries.get(tx, workspace_id, delivery_id)
    if row is None:
        raise DeliveryNotFound(data={"delivery_id": delivery_id})
    webhook = await get(tx, workspace_id, row.webhook_id)
    if webhook.disabled_at is not None:
        raise WebhookIsDisabled(data={"webhook_id": webhook.webhook_id})
    tries = len(msgspec.json.decode(row.tries_json))
    row = msgspec.structs.replace(row, state="due", due_at=core.clock.now(), earlier_tries=tries)
    await deliveries.begin_anew(tx, row)
    _look_again(tx, core)
    return row


# ---------------------------------------------------------------- events become deliveries


_Listening = dict[str, list[tuple[WebhookRow, set[str]]]]
"""The webhooks of workspaces, and what each wants."""


def _listening(rows: Sequence[WebhookRow]) -> _Listening:
    found: _Listening = {}
    for row in rows:
        found.setdefault(row.workspace_id, []).append((row, set(_decode_types(row.event_types_json))))
    return found


_decode_types = msgspec.json.Decoder(list[str]).decode


async def wanted_by(read: Reader, waiting: Sequence[OutboxRow]) -> list[tuple[OutboxRow, list[WebhookRow]]]:
    """Events, and the webhooks that want each."""
    listening = _listening(await webhooks.of_workspaces(read, {one.workspace_id for one in waiting}))
    return [(one, [row for row, types in listening.get(one.workspace_id, ()) if _wants(types, one)]) for one in waiting]


def _wants(types: set[str], event: OutboxRow) -> bool:
    return ALL in types or event.event_type in types


def new_delivery(event: OutboxRow, webhook: WebhookRow, now: int) -> DeliveryRow:
    """One that is due, and is not stored."""
    return DeliveryRow(
        workspace_id=event.workspace_id,
        webhook_id=webhook.webhook_id,
        delivery_id=new_id(),
        event_id=event.event_id,
        event_type=event.event_type,
        state="due",
        due_at=now,
        tries_json="[]",
        created_at=now,
    )


# ---------------------------------------------------------------- tries


class Outcome(msgspec.Struct, frozen=True):
    """What came of one request. `error` None: the receiver took the event."""

    at: int
    took_ms: int
    status: int | None
    error: str | None


@dataclass(frozen=True)
class Told:
    """An event that waits in the outbox, and the first tries of its deliveries that have begun."""

    event: OutboxRow
    tries: dict[str, tuple[DeliveryRow, Outcome | None]]
    """By webhook. None: it has not come back."""


@dataclass(frozen=True)
class Stored:
    """What `store` has written."""

    made: list[DeliveryRow]
    """New deliveries."""
    now_are: dict[str, WebhookRow]
    """All webhooks of their workspaces, by id."""


class Secrets:
    """What webhooks sign with. Secrets that have been opened stay so, as each is needed for every delivery."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, bytes] = {}

    def of(self, row: WebhookRow) -> tuple[bytes, ...]:
        """The secret, and for a while those before."""
        old = _old_secrets(row, self._core.clock.now())
        return (self._open(row.secret_sealed), *(self._open(sealed) for sealed, _ in old))

    def _open(self, sealed: str) -> bytes:
        found = self._known.get(sealed)
        if found is None:
            if len(self._known) >= MOST_SECRETS:
                self._known.clear()
            text = self._core.vault.open(sealed, SECRET)
            found = self._known[sealed] = base64.b64decode(text.removeprefix(SECRET_PREFIX))
        return found


def after(core: Core, row: DeliveryRow, outcome: Outcome) -> DeliveryRow:
    """The delivery as it stands after a try."""
    tries: list[Any] = [] if row.tries_json == "[]" else msgspec.json.decode(row.tries_json)
    failures_before = len(tries) - row.earlier_tries
    tries.append([outcome.at, outcome.took_ms, outcome.status, outcome.error])
    state, due_at = "done", row.due_at
    if outcome.error is not None:
        pauses = pauses_ms(core.config.webhook_retries)
        is_last = failures_before >= len(pauses)
        state = "given_up" if is_last else "due"
        due_at = row.due_at if is_last else core.clock.now() + pauses[failures_before]
    return msgspec.structs.replace(row, state=state, due_at=due_at, tries_json=msgspec.json.encode(tries).decode())


async def store(tx: Tx, core: Core, told: Sequence[Told], found: Sequence[tuple[DeliveryRow, Outcome]]) -> Stored:
    """Events out of the outbox and into deliveries, with what came of first tries; and what came of other tries. A
    webhook that has failed for days is disabled."""
    if told:
        await tx.lock(LOCK)
    of = {one.event.workspace_id for one in told} | {delivery.workspace_id for delivery, _ in found}
    rows = await webhooks.of_workspaces(tx, of)
    outcomes: dict[str, list[Outcome]] = {}
    made = await _store_told(tx, core, told, rows, outcomes)
    await deliveries.settle(tx, [(delivery, after(core, delivery, outcome)) for delivery, outcome in found])
    for delivery, outcome in found:
        outcomes.setdefault(delivery.webhook_id, []).append(outcome)
    now_are = {row.webhook_id: row for row in rows}
    for webhook_id, came in outcomes.items():
        if webhook_id in now_are:
            now_are[webhook_id] = await _note_failures(tx, core, now_are[webhook_id], came)
    return Stored(made, now_are)


async def _store_told(
    tx: Tx, core: Core, told: Sequence[Told], receivers: Sequence[WebhookRow], outcomes: dict[str, list[Outcome]]
) -> list[DeliveryRow]:
    if not told:
        return []
    listening = _listening(receivers)
    # What was emptied meanwhile has taken its events along.
    waiting = await deliveries.still_waiting(tx, [one.event.event_id for one in told])
    now, made = core.clock.now(), []
    for one in told:
        if one.event.event_id not in waiting:
            continue
        for webhook, types in listening.get(one.event.workspace_id, ()):
            is_wanted = _wants(types, one.event)
            if (found := one.tries.get(webhook.webhook_id)) is None:
                if is_wanted:
                    made.append(new_delivery(one.event, webhook, now))
                continue
            row, outcome = found
            if outcome is not None:
                row = after(core, row, outcome)
                outcomes.setdefault(webhook.webhook_id, []).append(outcome)
            if row.state == "due" and not is_wanted:  # any more
                row = msgspec.structs.replace(row, state="given_up")
            made.append(row)
    if made:
        await deliveries.add_many(tx, made)
    await deliveries.take_out(tx, sorted(waiting))
    return made


async def _note_failures(tx: Tx, core: Core, row: WebhookRow, outcomes: Sequence[Outcome]) -> WebhookRow:
    """Since when a webhook has been failing; if it still fails days later it is disabled. The webhook as it now is."""
    if row.failing_since is None and all(one.error is None for one in outcomes):
        return row
    days, failing_since, disabled_at = core.config.webhook_disable_after, row.failing_since, row.disabled_at
    for outcome in (came := sorted(outcomes, key=lambda one: one.at + one.took_ms)):
        failing_since = None if outcome.error is None else failing_since or outcome.at
    if days is not None and failing_since is not None and failing_since + days * DAY_MS <= came[-1].at:
        disabled_at = disabled_at or core.clock.now()
    if (failing_since, disabled_at) == (row.failing_since, row.disabled_at):
        return row
    changed = await webhooks.change(tx, row, failing_since=failing_since, disabled_at=disabled_at)
    if disabled_at is not None and row.disabled_at is None:
        await events.emit(tx, core, row.workspace_id, WebhookDisabled(webhook_id=row.webhook_id))
    return changed


# ---------------------------------------------------------------- shown


def wire(core: Core, row: WebhookRow) -> wire_types.Webhook:
    """A webhook as Seam shows it."""
    return wire_types.Webhook(
        webhook_id=row.webhook_id,
        url=row.url,
        event_types=msgspec.json.decode(row.event_types_json),
        secret=core.vault.open(row.secret_sealed, SECRET),
    )


def wire_delivery(row: DeliveryRow, *, is_disabled: bool = False) -> wire_types.Delivery:
    """A delivery of a webhook that is disabled, or is not."""
    return wire_types.Delivery(
        delivery_id=row.delivery_id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        event_type=row.event_type,
        state=row.state,
        next_try_at=iso(row.due_at) if row.state == "due" and not is_disabled else None,
        tries=[
            wire_types.Try(at=iso(at), took_ms=took_ms, status=status, error=error)
            for at, took_ms, status, error in msgspec.json.decode(row.tries_json)
        ],
    )


def wire_health(row: WebhookRow) -> wire_types.WebhookHealth:
    return wire_types.WebhookHealth(
        failing_since=iso_or_none(row.failing_since), disabled_at=iso_or_none(row.disabled_at)
    )
