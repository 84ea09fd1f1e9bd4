"""The directory over the API: entries, errors, fields, and incremental sync against a plain model."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.clock import ManualClock
from doorward.providers.my_2n.emulator import ACCESS_UNIT, STYLE, UNI, VERSO, Model, Quirks, Unit
from doorward.providers.my_2n.emulator.directory import Directory
from doorward.providers.my_2n.emulator.fields import schema_of

from .client import Device, device, until, user

KNOWN = "5c7a3f10-90ab-4d5e-8f01-2233445566aa"
OTHER = "00000000-0000-4000-8000-000000000001"


def errors(result: dict[str, Any]) -> list[tuple[str, str | None] | None]:
    """Each entry's first error, None for one that was stored."""
    return [
        (entry["errors"][0]["code"], entry["errors"][0].get("field")) if "errors" in entry else None
        for entry in result["users"]
    ]


async def create(of: Device, *users: dict[str, Any], **params: Any) -> Any:
    return await of.put("dir/create", {"users": list(users)}, **params)


async def update(of: Device, **fields: Any) -> Any:
    return await of.put("dir/update", {"users": [{"uuid": KNOWN, **fields}]})


async def get(of: Device, *fields: str, uuid: str = KNOWN) -> dict[str, Any]:
    body = {"users": [{"uuid": uuid}], "fields": list(fields)}
    (entry,) = (await of.ok("dir/get", method="POST", json=body))["users"]
    return dict(entry)


# ---------------------------------------------------------------- templates and writing


@pytest.mark.parametrize(
    ("model", "has", "lacks", "codes"),
    [
        (VERSO, {"pin", "validFrom", "mobkey"}, set(), 4),
        (ACCESS_UNIT, {"pin", "card"}, set(), 2),
        (UNI, set(), {"pin", "validFrom", "validTo", "accessPoints"}, 1),
    ],
)
async def test_the_template_shows_what_a_family_has(model: Model, has: set[str], lacks: set[str], codes: int) -> None:
    async with device(model=model) as intercom:
        template = await intercom.ok("dir/template")
        (entry,) = template["users"]
        assert int(template["series"]) > 2**53
        assert has <= entry["access"].keys() and not lacks & entry["access"].keys()
        assert entry["access"]["code"] == [""] * codes
        assert ("callPos" in entry) == (model is not ACCESS_UNIT)


async def test_each_entry_has_its_own_outcome_in_order(intercom: Device) -> None:
    result = await create(
        intercom,
        user("40718", owner="acme", access={"validFrom": "1767261600", "validTo": "1767348000"}),
        {"name": "Broken", "access": {"code": ["test"]}},
        {},
        {"uuid": KNOWN, "name": "Chosen"},
        {"uuid": KNOWN.upper(), "name": "Twice"},
        {"uuid": "abc"},
        {"uuid": "00000000-0000-0000-0000-000000000000"},
    )
    assert errors(result) == [
        None,
        ("EDIR_FIELD_VALUE_ERROR", "access.code[0]"),
        None,
        None,
        ("EDIR_UUID_ALREADY_EXISTS", None),
        ("EDIR_UUID_INVALID_FORMAT", None),
        ("EDIR_UUID_INVALID_FORMAT", None),
    ]
    assert [entry.get("timestamp") for entry in result["users"]] == [1, None, 2, 3, None, None, None]
    assert result["users"][3]["uuid"] == KNOWN


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"access": {"pin": "1"}}, ("EDIR_FIELD_VALUE_ERROR", "access.pin")),
        ({"access": {"pin": "12a4"}}, ("EDIR_FIELD_VALUE_ERROR", "access.pin")),
        ({"access": {"pin": "1" * 16}}, ("EDIR_FIELD_VALUE_ERROR", "access.pin")),
        ({"access": {"pin": 1234}}, ("EDIR_FIELD_VALUE_ERROR", "access.pin")),
        ({"access": {"pin": None}}, ("EDIR_FIELD_VALUE_ERROR", "access.pin")),
        ({"access": {"validTo": 1767348000}}, ("EDIR_FIELD_VALUE_ERROR", "access.validTo")),
        ({"access": {"validTo": "tomorrow"}}, ("EDIR_FIELD_VALUE_ERROR", "access.validTo")),
        ({"access": {"card": ["12345"]}}, ("EDIR_FIELD_VALUE_ERROR", "access.card[0]")),
        ({"access": {"code": [""] * 5}}, ("EDIR_FIELD_VALUE_ERROR", "access.code[4]")),
        ({"access": {"accessPoints": [{"enabled": 1}]}}, ("EDIR_FIELD_VALUE_ERROR", "access.accessPoints[0].enabled")),
        ({"access": "all"}, ("EDIR_FIELD_VALUE_ERROR", "access")),
        ({"name": "a/b"}, ("EDIR_FIELD_VALUE_ERROR", "name")),
        ({"name": "x" * 64}, ("EDIR_FIELD_VALUE_ERROR", "name")),
        ({"timestamp": "now"}, ("EDIR_FIELD_VALUE_ERROR", "timestamp")),
        ({"nickname": "x"}, ("EDIR_FIELD_NAME_UNKNOWN", "nickname")),
        ({"access.door": "x"}, ("EDIR_FIELD_NAME_UNKNOWN", "access.door")),
        ({"": "x"}, ("EDIR_FIELD_NAME_UNKNOWN", "")),
        ({"recordType": 1}, ("EDIR_FIELD_NOT_AVAILABLE", "recordType")),
    ],
)
async def test_a_faulty_field_leaves_the_entry_as_it_was(
    intercom: Device, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    await create(intercom, {"uuid": KNOWN, **user("1234", "Before")})
    assert errors(await update(intercom, email="new@example.com", **fields)) == [expected]
    assert (await get(intercom))["timestamp"] == 1
    assert (await get(intercom, "name", "email"))["email"] == ""


async def test_a_field_of_another_model_is_not_available() -> None:
    async with device(model=STYLE) as intercom:
        assert errors(await create(intercom, {"buttons": "1"})) == [("EDIR_FIELD_NOT_AVAILABLE", "buttons")]
    async with device(model=UNI) as intercom:
        assert errors(await create(intercom, user("1234"))) == [("EDIR_FIELD_NOT_AVAILABLE", "access.pin")]


async def test_force_replaces_the_whole_entry_from_query_or_body(intercom: Device) -> None:
    await create(intercom, {"uuid": KNOWN, **user("1234", "Before", email="a@example.com")})
    assert errors(await create(intercom, {"uuid": KNOWN, "name": "Query"}, force=1)) == [None]
    assert (await get(intercom, "name", "email", "access.pin")) == {
        "uuid": KNOWN,
        "timestamp": 2,
        "name": "Query",
        "email": "",
        "access": {"pin": ""},
    }
    body = {"users": [{"uuid": KNOWN, "name": "Body"}], "force": True}
    assert errors(await intercom.put("dir/create", body)) == [None]
    assert (await get(intercom, "name"))["name"] == "Body"


async def test_an_update_is_partial_nested_and_takes_dotted_keys(intercom: Device) -> None:
    await create(intercom, {"uuid": KNOWN, **user("1234", "Guest", access={"code": ["11111", "22222"]})})
    await update(intercom, **{"access.pin": "0042", "access.code[1]": "33333", "access": {"validTo": "99"}})
    assert (await get(intercom, "access.pin", "access.code", "access.validTo", "name")) == {
        "uuid": KNOWN,
        "timestamp": 2,
        "name": "Guest",
        "access": {"pin": "0042", "code": ["11111", "33333", "", ""], "validTo": "99"},
    }
    await update(intercom, access={"code": [], "pin": "", "validTo": "0"})
    assert await get(intercom) == await get(intercom, *[])
    entries = (await intercom.query())["users"]
    assert entries == [{"uuid": KNOWN, "timestamp": 3, "name": "Guest"}]


async def test_numbers_as_pins_may_be_taken() -> None:
    async with device(quirks=Quirks(pin_may_be_number=True)) as intercom:
        await create(intercom, {"uuid": KNOWN, "access": {"pin": 1234}})
        assert (await get(intercom, "access.pin"))["access"] == {"pin": "1234"}


async def test_keys_with_an_index_and_long_lists_may_be_refused() -> None:
    async with device(quirks=Quirks(index_in_update_keys=False, max_entries_per_call=2)) as intercom:
        await create(intercom, {"uuid": KNOWN})
        assert errors(await update(intercom, **{"access.code[1]": "33333"})) == [
            ("EDIR_FIELD_NAME_UNKNOWN", "access.code[1]")
        ]
        assert await intercom.error("dir/create", method="PUT", json={"users": [{}] * 3}) == (13, "users")
        assert len(intercom.unit.directory) == 1


async def test_the_array_index_may_be_missing_in_errors() -> None:
    async with device(quirks=Quirks(index_in_error_field=False)) as intercom:
        result = await create(intercom, {"access": {"code": ["", "x"]}})
        assert errors(result) == [("EDIR_FIELD_VALUE_ERROR", "access.code")]


async def test_update_and_delete_name_what_is_missing(intercom: Device) -> None:
    assert await intercom.error("dir/update", method="PUT", json={}) == (11, "users")
    assert await intercom.error("dir/update", method="PUT", json={"users": {}}) == (12, "users")
    assert await intercom.error("dir/delete", method="PUT", json={}) == (11, "users")
    assert await intercom.error("dir/delete", method="PUT", json={"users": [], "owner": "x"}) == (17, "owner")
    assert await intercom.error("dir/get", method="POST", json={}) == (11, "users")
    assert await intercom.error("dir/query", method="POST", json={"fields": [1]}) == (12, "fields")
    assert await intercom.error("dir/query", method="POST", json={"iterator": {"timestamp": "1"}}) == (12, "iterator")
    assert await intercom.error("dir/query", method="POST", json={"series": 12}) == (12, "series")
    users = [{}, {"uuid": OTHER}, {"uuid": "x"}, 5]
    for function in ("update", "delete"):
        result = await intercom.put(f"dir/{function}", {"users": users})
        assert errors(result) == [
            ("EDIR_UUID_IS_MISSING", None),
            ("EDIR_UUID_DOES_NOT_EXIST", None),
            ("EDIR_UUID_INVALID_FORMAT", None),
            ("EDIR_UUID_IS_MISSING", None),
        ]
    assert await intercom.put("dir/create", {}) == {"series": intercom.unit.directory.series}


async def test_an_owner_is_deleted_with_everything_it_keeps(intercom: Device) -> None:
    await create(intercom, user("1111", owner="acme"), user("2222", owner="ACOM"), user("3333", owner="acme"))
    assert len((await intercom.put("dir/delete", {"owner": "acme"}))["users"]) == 2
    assert (await intercom.put("dir/delete", {"owner": "acme"}))["users"] == []
    assert [entry.get("owner") for entry in intercom.unit.directory.live()] == ["ACOM"]


async def test_get_answers_in_order_and_names_the_unknown(intercom: Device) -> None:
    await create(intercom, {"uuid": KNOWN, "name": "Here"})
    body = {"users": [{"uuid": OTHER}, {"uuid": KNOWN.upper()}]}
    result = await intercom.ok("dir/get", method="POST", json=body)
    assert errors(result) == [("EDIR_UUID_DOES_NOT_EXIST", None), None]
    assert result["users"][1]["name"] == "Here"


async def test_fields_may_be_groups_members_and_unknown(intercom: Device) -> None:
    call = [{"peer": "sip:1"}, {"peer": "sip:2", "grouped": True}]
    await create(intercom, {"uuid": KNOWN, "callPos": call, **user("1234")})
    assert (await get(intercom, "callPos.peer", "nonsense"))["callPos"] == [
        {"peer": "sip:1"},
        {"peer": "sip:2"},
        {"peer": ""},
    ]
    assert (await get(intercom, "callPos[1].grouped"))["callPos"] == [{}, {"grouped": True}]
    assert (await get(intercom, "access"))["access"]["validFrom"] == "0"
    assert "name" not in await get(intercom, "access")
    everything = (await intercom.query(fields=[]))["users"][0]
    assert everything["deleted"] is False and everything["treepath"] == "/"
    sparse = (await intercom.query())["users"][0]
    assert sparse["access"] == {"pin": "1234"} and "deleted" not in sparse


async def test_a_deleted_entry_may_be_shown_by_get_and_its_uuid_kept() -> None:
    quirks = Quirks(get_shows_tombstones=True, tombstone_uuid_is_free=False)
    async with device(quirks=quirks) as intercom:
        await create(intercom, {"uuid": KNOWN})
        await intercom.put("dir/delete", {"users": [{"uuid": KNOWN}]})
        assert await get(intercom) == {"uuid": KNOWN, "deleted": True, "timestamp": 2}
        assert errors(await create(intercom, {"uuid": KNOWN})) == [("EDIR_UUID_ALREADY_EXISTS", None)]


# ---------------------------------------------------------------- capacity and duplicates


async def test_a_full_directory_refuses_new_entries_only() -> None:
    async with device(quirks=Quirks(directory_capacity=1)) as intercom:
        result = await create(intercom, {"uuid": KNOWN}, {"uuid": OTHER})
        assert errors(result) == [None, ("EDIR_DIRECTORY_FULL", None)]
        assert errors(await create(intercom, {"uuid": KNOWN}, force=1)) == [None]
        assert errors(await update(intercom, name="Same")) == [None]


async def test_duplicate_pins_are_accepted_unless_the_firmware_minds() -> None:
    async with device() as intercom:
        assert errors(await create(intercom, user("1234"), user("1234"))) == [None, None]
    async with device(quirks=Quirks(refuse_duplicate_pins=True)) as intercom:
        result = await create(intercom, {"uuid": KNOWN, **user("1234")}, user("1234"))
        assert errors(result) == [None, ("EDIR_FIELD_VALUE_ERROR", "access.pin")]
        assert errors(await update(intercom, **{"access.pin": "1234"})) == [None]


# ---------------------------------------------------------------- change events and keeping


async def test_a_write_is_reported_as_changed_and_later_as_saved(intercom: Device) -> None:
    await create(intercom, user("1234"), user("5678"))
    params = {"series": intercom.unit.directory.series, "timestamp": 2}
    assert (await intercom.happened())[1:] == [("DirectoryChanged", params)]
    await intercom.clock.advance(1)
    assert (await intercom.happened())[1:] == [("DirectoryChanged", params), ("DirectorySaved", params)]


async def test_a_write_that_changes_nothing_is_not_reported(intercom: Device) -> None:
    await create(intercom, {"nickname": "x"})
    assert await intercom.happened("DirectoryChanged") == []


async def test_the_answer_waits_until_the_host_has_kept_the_entry(intercom: Device) -> None:
    kept, go = [], asyncio.Event()

    async def persist(unit: Unit) -> None:
        kept.append(len(unit.directory))
        await go.wait()

    intercom.unit.persist = persist
    call = asyncio.create_task(create(intercom, user("1234")))
    await until(lambda: kept)
    assert kept == [1] and not call.done()
    go.set()
    assert errors(await call) == [None]


async def test_a_client_that_hangs_up_does_not_stop_the_host_from_keeping(intercom: Device) -> None:
    begun, finished, go = [], [], asyncio.Event()

    async def persist(_unit: Unit) -> None:
        begun.append(1)
        await go.wait()
        finished.append(1)

    intercom.unit.persist = persist
    call = asyncio.create_task(create(intercom, user("1234")))
    await until(lambda: begun)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0.01)
    go.set()
    await until(lambda: finished)


# ---------------------------------------------------------------- incremental sync


async def test_the_iterator_follows_its_rules(intercom: Device) -> None:
    await create(intercom, {"uuid": KNOWN}, {"uuid": OTHER})
    await intercom.put("dir/delete", {"users": [{"uuid": KNOWN}]})
    series = intercom.unit.directory.series
    later = await intercom.query(series=series, iterator={"timestamp": 2})
    assert later == {
        "series": series,
        "timestamp": 3,
        "invalid": 0,
        "users": [{"uuid": KNOWN, "deleted": True, "timestamp": 3}],
    }
    assert (await intercom.query(series=series, iterator={"timestamp": 3}))["users"] == []
    assert (await intercom.query(series="123", iterator={"timestamp": 1})) == {**later, "users": []}
    assert len((await intercom.query())["users"]) == 2


async def test_a_full_query_may_leave_out_the_deleted() -> None:
    async with device(quirks=Quirks(tombstones_in_full_query=False)) as intercom:
        await create(intercom, {"uuid": KNOWN})
        await intercom.put("dir/delete", {"users": [{"uuid": KNOWN}]})
        assert (await intercom.query())["users"] == []


async def test_purged_tombstones_raise_invalid() -> None:
    async with device(quirks=Quirks(max_tombstones=1)) as intercom:
        await create(intercom, {"uuid": KNOWN}, {"uuid": OTHER})
        await intercom.put("dir/delete", {"users": [{"uuid": KNOWN}, {"uuid": OTHER}]})
        result = await intercom.query()
        assert result["invalid"] == 3
        assert [entry["uuid"] for entry in result["users"]] == [OTHER]


UUIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 7)]
WRITE = st.tuples(
    st.sampled_from(["create", "force", "update", "delete", "read"]),
    st.sampled_from(UUIDS),
    st.text("012", min_size=2, max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(WRITE, max_size=40))
def test_reading_changes_only_gives_the_same_as_a_plain_model(writes: list[tuple[str, str, str]]) -> None:
    directory = Directory(schema_of(VERSO), Quirks(max_tombstones=2))
    truth: dict[str, str] = {}
    seen: dict[str, str] = {}
    cursor, previous = 0, 0

    def read() -> int:
        page = directory.query(directory.series, cursor, ["access.pin"])
        if cursor < page["invalid"]:
            seen.clear()
            page = directory.query(None, 0, ["access.pin"])
        for entry in page["users"]:
            if entry.get("deleted"):
                seen.pop(entry["uuid"], None)
            else:
                seen[entry["uuid"]] = entry["access"]["pin"]
        stamps = [entry["timestamp"] for entry in page["users"]]
        assert stamps == sorted(set(stamps))
        assert seen == truth
        return int(page["timestamp"])

    for kind, uuid, pin in writes:
        entry = {"uuid": uuid, "access": {"pin": pin}}
        if kind == "read":
            cursor = read()
            continue
        if kind == "update":
            done, expected = directory.update([entry]), uuid in truth
        elif kind == "delete":
            done, expected = directory.delete([entry]), uuid in truth
        else:
            done, expected = directory.create([entry], force=kind == "force"), kind == "force" or uuid not in truth
        assert ("errors" not in done["users"][0]) == expected
        if expected:
            assert done["users"][0]["timestamp"] == directory.timestamp == previous + 1
            previous = directory.timestamp
            if kind == "delete":
                del truth[uuid]
            else:
                truth[uuid] = pin
        assert len(directory) == len(truth)
    read()


def test_ten_thousand_entries_are_read_by_their_changes() -> None:
    unit = Unit(clock=ManualClock())
    unit.directory.create([{"name": f"Guest {n}"} for n in range(10_001)], force=False)
    assert len(unit.directory) == 10_000
    assert len(unit.directory.query(unit.directory.series, 9_990, None)["users"]) == 10
