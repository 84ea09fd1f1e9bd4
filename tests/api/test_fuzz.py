"""Anything at all, to every route: answered, in the envelope, and never as a fault of ours."""

import asyncio
import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.server import World, serving

from doorward.api.route import ROUTES

texts = st.text(st.characters(codec="utf-8"), max_size=30)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from([
        "", " ", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2099-01-01",
        "2000-02-30", "٢٠٢٥-01-01", "1234", "0000", "true", "*", "null", "ongoing", "time_bound", "-1", "\U0001f600",
        "'; DROP TABLE devices; --", "%", "_", "\\", '"', "javascript:alert(1)", "https://[::1", "a" * 3000,
    ]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


def bodies(known: dict[str, list[str]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A route and parameters for it: real ids, plausible values and nonsense mixed."""

    def of(path: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
        fields = ROUTES[path].params.model_fields
        members = {}
        for name in fields:
            real = known.get(name) or known.get(name.removesuffix("s"), [])
            choices: list[st.SearchStrategy[Any]] = [values]
            if real:
                choices += [st.sampled_from(real)] * 3
                choices.append(st.lists(st.sampled_from(real), max_size=3))
            members[name] = st.one_of(*choices)
        return st.tuples(st.just(path), st.fixed_dictionaries({}, optional=members))

    return st.sampled_from(sorted(ROUTES)).flatmap(of)


async def test_anything_is_answered_in_the_envelope(tmp_path: Path, database_url: str | None) -> None:
    # A slow unlock would only wait: answers are what is looked at.
    async with serving(tmp_path, database_url, command_wait=0) as world:
        await world.connect(count=2)
        code = await world.call("/access_codes/create", device_id=world.devices[0], code="4711")
        webviews = (await world.call("/connect_webviews/list"))["connect_webviews"]
        known = {
            "device_id": world.devices,
            "access_code_id": [code["access_code"]["access_code_id"]],
            "action_attempt_id": [code["action_attempt"]["action_attempt_id"]],
            "connect_webview_id": [w["connect_webview_id"] for w in webviews],
            "connected_account_id": [(await world.device())["connected_account_id"]],
            "event_id": [e["event_id"] for e in (await world.events())[:2]],
            "since": ["2000-01-01"],
            "starts_at": ["2020-01-01", "2098-01-01"],
            "ends_at": ["2099-01-01"],
            "code": ["4711", "1590"],
            "accepted_providers": ["my_2n"],
        }  # fmt: skip
        cases: list[tuple[str, dict[str, Any]]] = []

        @settings(
            max_examples=500, database=None, deadline=None, phases=[Phase.generate], derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(bodies(known))
        def collect(case: tuple[str, dict[str, Any]]) -> None:
            cases.append(case)

        collect()
        rng = random.Random(7)
        # Those that take devices away come last, so that the others meet some.
        cases.sort(key=lambda case: case[0].endswith("delete"))
        for path, body in cases:
            await _ask(world, path, body, rng)
        # What was stored can be shown: no poison was left behind.
        for path in ("/devices/list", "/connected_accounts/list", "/connect_webviews/list", "/action_attempts/list"):
            await world.call(path)
        await world.events(limit=5000)
        if world.devices:
            await world.raw("/access_codes/list", {"device_id": world.devices[0]})
        await asyncio.sleep(0)


async def _ask(world: World, path: str, body: dict[str, Any], rng: random.Random) -> None:
    if rng.random() < 0.75:
        reply = await world.raw(path, body, method=rng.choice(ROUTES[path].verbs))
    else:
        query = {n: v if isinstance(v, list) else "" if v is None else v for n, v in body.items()}
        try:
            reply = await world.raw(path, method=rng.choice(ROUTES[path].verbs), query=query)
        except UnicodeEncodeError:
            return
    assert reply.status < 500 or reply.status == 501, (path, body, reply)
    if reply.status == 200 and reply.headers["content-type"] == ROUTES[path].media_type != "application/json":
        assert reply.body
        return
    assert reply.json["ok"] is (reply.status == 200), (path, body, reply)
    if reply.status != 200:
        assert isinstance(reply.error["type"], str) and isinstance(reply.error["message"], str)
    else:
        for key in ROUTES[path].returns:
            assert key in reply.json, (path, body, reply)
