"""The steps of a login: which one comes next, and what each form does.

    consent → (brand) → account → choose → device, one after the other → (review) → the end

A step follows from what is stored, so the page can be left, opened again and sent twice. What belongs to another
step than the current one does nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from doorward.core import webviews
from doorward.core.context import Core
from doorward.core.webviews import Visit
from doorward.providers.base import LoginForm, Provider
from doorward.providers.errors import AskAgain, NotAuthorized, ProviderError
from doorward.webview import forms
from doorward.webview.forms import Posted
from doorward.webview.throttle import Key, Throttle, account_keys, device_keys, webview_key


class Again(Exception):
    """Something typed was not right: the step is shown again, with a sentence that helps."""

    def __init__(
        self,
        message: str,
        *,
        visit: Visit | None = None,
        fields: Mapping[str, str] | None = None,
        typed: Mapping[str, str] | None = None,
        more: tuple[str, ...] = (),
        status: int = 422,
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.visit = visit
        """Where it stands by now, when it has moved on meanwhile."""
        self.fields = fields or {}
        """Field → its own sentence; an empty one only marks it."""
        self.typed = typed or {}
        """What to show again; never a password."""
        self.more = more
        """Further sentences, where several things were not right."""
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Turn:
    """One form that was sent."""

    core: Core
    throttle: Throttle
    visit: Visit
    posted: Posted = field(repr=False)

    @property
    def provider(self) -> Provider:
        """The brand: every step that asks for it comes after it was chosen."""
        provider = webviews.provider_of(self.core, self.visit)
        assert provider is not None
        return provider


def current(core: Core, visit: Visit) -> str:
    """The step that a login stands at."""
    flow = visit.flow
    if visit.row.status != "pending":
        return "ended"
    if not flow.consented:
        return "consent"
    provider = webviews.provider_of(core, visit)
    if provider is None:
        return "brand"
    if flow.account is None:
        return "account"
    if not flow.chosen:
        return "choose"
    if provider.device_form(visit.place) is not None and flow.waiting:
        return "device"
    return "review"


async def act(turn: Turn) -> Visit:
    """Do what the form asks. Raises Again."""
    step = current(turn.core, turn.visit)
    asked = turn.posted.one("step")
    if asked == "back":
        return await _back(turn, step) if turn.posted.one("from") == step else turn.visit
    if step == "consent" and asked == step:
        return await webviews.save(turn.core, turn.visit, consented=True)
    if step == "brand" and asked == step:
        return await _brand(turn)
    if step == "account" and asked == step:
        return await (_discover(turn) if turn.posted.one("search") else _account(turn))
    if step == "choose" and asked == step:
        return await _choose(turn)
    if step == "device" and asked in ("device", "skip"):
        return await _device(turn)
    if step == "review" and asked == "retry":
        return await webviews.save(turn.core, turn.visit, skipped=())
    if step == "review" and asked == "finish":
        return await _finish(turn, turn.visit)
    return turn.visit


async def _back(turn: Turn, step: str) -> Visit:
    if step == "account" and len(webviews.offered(turn.core, turn.visit)) > 1:
        return await webviews.save(turn.core, turn.visit, provider=None)
    if step == "choose" or (step in ("device", "review") and is_chosen_by_now(turn.visit)):
        account = turn.visit.flow.account
        kept = turn.visit.flow.logins if account is not None and account.is_direct else {}
        return await webviews.save(turn.core, turn.visit, account=None, chosen=(), logins=kept, skipped=())
    if step in ("device", "review"):
        return await webviews.save(turn.core, turn.visit, chosen=())
    return turn.visit


def takes_all(visit: Visit) -> bool:
    """Nobody chooses: every device of the account is taken."""
    return visit.row.device_selection_mode == "none"


def is_chosen_by_now(visit: Visit) -> bool:
    """Nothing is left to choose, and nothing to tell: whoever typed addresses has chosen by that."""
    account = visit.flow.account
    assert account is not None
    is_one = visit.row.device_selection_mode != "single" or len(account.devices) == 1
    return takes_all(visit) or (account.is_direct and is_one and not account.notes)


async def _brand(turn: Turn) -> Visit:
    key = turn.posted.one("provider")
    if not any(brand.key == key for brand in webviews.offered(turn.core, turn.visit)):
        raise Again("Choose the brand of your devices.")
    return await webviews.save(turn.core, turn.visit, provider=key)


async def _discover(turn: Turn) -> Visit:
    """Look for devices on the network; what was typed meanwhile is kept."""
    form = turn.provider.account_form(turn.visit.place)
    typed = _shown(form, forms.typed(form, turn.posted))
    _try(turn, [webview_key(turn.visit)], typed)  # a search costs as much as a guess
    visit = await webviews.save(turn.core, turn.visit, typed=typed)
    return await webviews.discover(turn.core, visit, turn.provider)


async def _account(turn: Turn) -> Visit:
    form = turn.provider.account_form(turn.visit.place)
    values = _login(turn, form)
    keys = [webview_key(turn.visit), *account_keys(turn.visit, turn.provider, form, values)]
    _try(turn, keys, _shown(form, values))
    try:
        visit = await webviews.log_in(turn.core, turn.visit, turn.provider, values)
    except ProviderError as exc:
        raise _failed(form, values, exc) from None
    turn.throttle.worked(*keys)
    if visit.flow.account is not None and visit.row.status == "pending" and is_chosen_by_now(visit):
        refs = [device.ref for device in visit.flow.account.devices]
        return await _go_on(turn, await webviews.choose(turn.core, visit, refs))
    return visit


async def _choose(turn: Turn) -> Visit:
    visit = await webviews.choose(turn.core, turn.visit, turn.posted.all("device"))
    if not visit.flow.chosen:
        raise Again("Choose at least one device to continue.")
    return await _go_on(turn, visit)


async def _device(turn: Turn) -> Visit:
    ref = turn.posted.one("device")
    if not any(device.ref == ref for device in turn.visit.flow.waiting):
        return turn.visit  # sent twice: it is logged in by now
    if turn.posted.one("step") == "skip":
        return await _go_on(turn, await webviews.skip_device(turn.core, turn.visit, ref))
    form = turn.provider.device_form(turn.visit.place)
    assert form is not None
    values = _login(turn, form)
    device = turn.visit.flow.offered(ref)
    assert device is not None
    keys = _try(turn, [webview_key(turn.visit), *device_keys(turn.visit, turn.provider, device)], _shown(form, values))
    visit, troubles = await webviews.log_in_devices(turn.core, turn.visit, turn.provider, [ref], values)
    if troubles:
        raise _failed(form, values, troubles[ref])
    turn.throttle.worked(*keys)
    if turn.posted.one("same_login") and visit.flow.waiting:
        visit = await _same_login(turn, form, visit, values)
    return await _go_on(turn, visit)


async def _same_login(turn: Turn, form: LoginForm, visit: Visit, values: Mapping[str, str]) -> Visit:
    """Try one login on all that wait, and keep what worked. Raises Again for the first that did not.

    For the webview that is one try, for each device one of its own. One that was tried too often is left out.
    """
    # What was confirmed for one device says nothing of the others.
    confirmed = {field.name for field in form.fields if field.kind == "confirm"}
    plain = {name: "" if name in confirmed else value for name, value in values.items()}
    tried: dict[str, list[Key]] = {}
    for device in visit.flow.waiting:
        keys = device_keys(visit, turn.provider, device)
        if not turn.throttle.wait(*keys):
            turn.throttle.failed(*keys)
            tried[device.ref] = keys
    visit, troubles = await webviews.log_in_devices(turn.core, visit, turn.provider, list(tried), plain)
    turn.throttle.worked(*(key for ref, keys in tried.items() if ref not in troubles for key in keys))
    if troubles:
        turn.throttle.failed(webview_key(visit))
        names = _listed([device.name for device in visit.flow.waiting])
        again = _failed(form, plain, next(iter(troubles.values())))
        raise Again(
            f"The same login did not work for {names}. {again.message}",
            visit=visit,
            fields=again.fields,
            typed=again.typed,
            more=again.more,
        )
    return visit


def _listed(names: list[str], most: int = 3) -> str:
    """`A, B and C`, or `A, B, C and 4 more`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


async def _go_on(turn: Turn, visit: Visit) -> Visit:
    """End the login when nothing is left to ask or to tell."""
    if current(turn.core, visit) == "review" and not visit.flow.skipped and not any(visit.flow.notes.values()):
        return await _finish(turn, visit)
    return visit


async def _finish(turn: Turn, visit: Visit) -> Visit:
    try:
        return await webviews.finish(turn.core, visit, turn.provider)
    except ProviderError as exc:
        raise Again(exc.message, visit=visit) from None


# ---------------------------------------------------------------- logins


def _login(turn: Turn, form: LoginForm) -> dict[str, str]:
    """What was typed, when it can be right. Raises Again."""
    values = forms.typed(form, turn.posted)
    wrong = forms.mistakes(form, values)
    if wrong:
        raise Again("Something is missing or cannot be right.", fields=wrong, typed=_shown(form, values))
    return values


def _try(turn: Turn, keys: Sequence[Key], typed: Mapping[str, str]) -> Sequence[Key]:
    """Count a try, as failed until it has worked. Raises Again after too many that failed."""
    wait = turn.throttle.wait(*keys)
    if wait:
        minutes = -(-wait // 60)
        raise Again(
            f"That was not right too many times. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again.",
            typed=typed,
            status=429,
            retry_after=wait,
        )
    turn.throttle.failed(*keys)
    return keys


def _failed(form: LoginForm, values: Mapping[str, str], exc: ProviderError) -> Again:
    """Say why a login did not work."""
    typed = _shown(form, values)
    if isinstance(exc, AskAgain):
        # What was confirmed before is asked for together with it: neither is remembered.
        confirmed = {f.name: "" for f in form.fields if f.kind == "confirm" and values.get(f.name)}
        return Again(exc.message, fields={**confirmed, exc.field: ""}, typed=typed)
    is_wrong = isinstance(exc, NotAuthorized) and exc.missing is None and not exc.more
    fields = {f.name: "" for f in form.fields if f.kind in ("email", "text", "password")} if is_wrong else {}
    return Again(exc.message, fields=fields, typed=typed, more=exc.more)


def _shown(form: LoginForm, values: Mapping[str, str]) -> dict[str, str]:
    return {f.name: values[f.name][: forms.most(f)] for f in form.fields if f.kind not in ("password", "confirm")}
