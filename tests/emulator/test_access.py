"""People at the door: PINs, cards, blocking, the exit button, the door contact; and the events of each."""

from typing import Any

import pytest

from doorward.providers.my_2n.emulator import Quirks, SwitchConfig

from .client import Device, device, user

ANN = "5c7a3f10-90ab-4d5e-8f01-2233445566aa"
CARD = "4BC5D8F1"


async def add(of: Device, pin: str = "40718", **more: Any) -> None:
    result = await of.put("dir/create", {"users": [{"uuid": ANN, **user(pin, "Ann", **more)}]})
    assert "errors" not in result["users"][0]


async def after(of: Device, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Events from the first one of this name on."""
    events = await of.happened()
    return events[[event for event, _ in events].index(name) :]


async def test_a_valid_pin_tells_its_whole_story(intercom: Device) -> None:
    await add(intercom)
    intercom.unit.press_keys("40718*")
    intercom.unit.set_input("input1", True)
    await intercom.clock.advance(6)
    intercom.unit.set_input("input1", False)
    events = await intercom.happened()
    keys = [params["key"] for name, params in events if name == "KeyPressed"]
    assert "".join(keys) == "40718*"
    at = {"ap": 0, "session": 1}
    assert await after(intercom, "CodeEntered") == [
        ("CodeEntered", {**at, "direction": "in", "code": "40718", "type": "user", "uuid": ANN, "valid": True}),
        ("UserAuthenticated", {**at, "name": "Ann", "uuid": ANN, "apbBroken": False}),
        ("SwitchStateChanged", {"switch": 1, "state": True, "originator": "ap", **at}),
        ("OutputChanged", {"port": "relay1", "state": True}),
        ("InputChanged", {"port": "input1", "state": True}),
        ("DoorStateChanged", {"state": "opened"}),
        ("AccessTaken", at),
        ("DirectorySaved", {"series": intercom.unit.directory.series, "timestamp": 1}),
        ("SwitchStateChanged", {"switch": 1, "state": False, "originator": "ap", **at}),
        ("OutputChanged", {"port": "relay1", "state": False}),
        ("InputChanged", {"port": "input1", "state": False}),
        ("DoorStateChanged", {"state": "closed"}),
    ]


@pytest.mark.parametrize("only_on", [False, True])
async def test_an_entry_toggles_a_latch_or_switches_it_on(only_on: bool) -> None:
    latch = SwitchConfig(mode="bistable", codes=("7777",))
    async with device(quirks=Quirks(entries_only_switch_on=only_on), switches=[latch]) as intercom:
        await add(intercom)
        shown = []
        for code in ("40718*", "40718*", "7777*"):
            intercom.unit.press_keys(code)
            shown.append(intercom.unit.switches[1].active)
        assert shown == ([True, True, True] if only_on else [True, False, True])


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        ({"validTo": "1000"}, "invalidTime"),
        ({"validFrom": "4000000000"}, "invalidTime"),
        ({"accessPoints": [{"enabled": False}]}, "invalidCredential"),
    ],
)
async def test_a_pin_that_does_not_count_is_rejected_with_its_reason(
    intercom: Device, access: dict[str, Any], reason: str
) -> None:
    await add(intercom, access=access)
    intercom.unit.press_keys("40718*")
    entered, rejected = await after(intercom, "CodeEntered")
    assert (entered[1]["valid"], entered[1]["uuid"]) == (False, ANN)
    assert rejected == ("UserRejected", {"ap": 0, "session": 1, "name": "Ann", "uuid": ANN, "reason": reason})
    assert not intercom.unit.switches[1].active


async def test_a_pin_counts_from_its_start_until_its_end_by_the_intercoms_clock(intercom: Device) -> None:
    now = intercom.unit.device_time()
    await add(intercom, access={"validFrom": str(now + 100), "validTo": str(now + 200)})
    opened = []
    for _ in range(3):
        intercom.unit.press_keys("40718*")
        opened.append(intercom.unit.switches[1].active)
        await intercom.clock.advance(100)
    assert opened == [False, True, False]
    intercom.unit.time.offset_s = -150.0
    intercom.unit.press_keys("40718*")
    assert intercom.unit.switches[1].active


@pytest.mark.parametrize(("action", "reason"), [("lock", "switchLocked"), (None, "switchDisabled")])
async def test_a_pin_is_rejected_when_its_switch_cannot_move(intercom: Device, action: str | None, reason: str) -> None:
    await add(intercom)
    if action:
        await intercom.ok("switch/ctrl", switch=1, action=action)
    else:
        intercom.unit.configure_switch(1, SwitchConfig(enabled=False))
    intercom.unit.press_keys("40718*")
    assert (await intercom.happened("UserRejected"))[0][1]["reason"] == reason


async def test_an_unknown_code_is_rejected_without_a_name(intercom: Device) -> None:
    intercom.unit.press_keys("9999*")
    events = await after(intercom, "CodeEntered")
    assert events[0][1]["uuid"] == "" and events[0][1]["valid"] is False
    assert events[1][1] == {"ap": 0, "session": 1, "name": "", "uuid": "", "reason": "invalidCredential"}


async def test_older_firmware_stops_at_the_code() -> None:
    async with device(quirks=Quirks(unknown_code_rejects=False)) as intercom:
        intercom.unit.press_keys("9999*")
        assert len(await after(intercom, "CodeEntered")) == 1


@pytest.mark.parametrize("code", ["00", "11"])
async def test_telephone_codes_do_not_open_from_the_keypad(intercom: Device, code: str) -> None:
    await add(intercom, pin=code)
    intercom.unit.press_keys(f"{code}*")
    assert not intercom.unit.switches[1].active


async def test_a_code_may_be_taken_back_and_is_forgotten_after_a_while(intercom: Device) -> None:
    await add(intercom)
    intercom.unit.press_keys("999#40718*")
    assert intercom.unit.switches[1].active
    intercom.unit.press_keys("407")
    await intercom.clock.advance(11)
    intercom.unit.press_keys("18*")
    assert [params["code"] for _, params in await intercom.happened("CodeEntered")] == ["40718", "18"]


async def test_five_wrong_codes_pause_the_reader(intercom: Device) -> None:
    await add(intercom)
    intercom.unit.press_keys("9999*" * 5 + "40718*")
    assert not intercom.unit.switches[1].active
    await intercom.clock.advance(31)
    assert await intercom.happened("AccessLimited") == [
        ("AccessLimited", {"ap": 0, "type": "code", "state": "in"}),
        ("AccessLimited", {"ap": 0, "type": "code", "state": "out"}),
    ]
    intercom.unit.press_keys("40718*")
    assert intercom.unit.switches[1].active


async def test_switch_codes_and_universal_codes_open_their_own_switch() -> None:
    switches = [SwitchConfig(), SwitchConfig(codes=("777777",))]
    async with device(switches=switches) as intercom:
        await add(intercom, access={"code": ["", "55555"]})
        intercom.unit.press_keys("55555*")
        assert [intercom.unit.switches[n].active for n in (1, 2)] == [False, True]
        await intercom.clock.advance(6)
        intercom.unit.press_keys("777777*")
        states = [params for _, params in await intercom.happened("SwitchStateChanged")]
        assert [state["originator"] for state in states] == ["ap", "ap", "uni"]
        types = [params["type"] for _, params in await intercom.happened("CodeEntered")]
        assert types == ["user", "universal"]


async def test_a_switch_code_obeys_validity_by_default() -> None:
    for obeys in (True, False):
        async with device(quirks=Quirks(switch_codes_obey_validity=obeys)) as intercom:
            await add(intercom, access={"code": ["55555"], "validTo": "1000"})
            intercom.unit.press_keys("55555*")
            assert intercom.unit.switches[1].active is not obeys


async def test_a_switch_code_may_obey_the_access_point() -> None:
    for obeys in (True, False):
        async with device(quirks=Quirks(switch_codes_obey_access_points=obeys)) as intercom:
            await add(intercom, access={"code": ["55555"], "accessPoints": [{"enabled": False}]})
            intercom.unit.press_keys("55555*")
            assert intercom.unit.switches[1].active is not obeys


async def test_a_card_opens_and_is_compared_from_its_end(intercom: Device) -> None:
    await add(intercom, access={"card": [CARD]})
    assert intercom.unit.swipe(f"00{CARD.lower()}", "ext7")
    (_, params), *_ = await after(intercom, "CardEntered")
    assert params["reader"] == "ext7" and params["uuid"] == ANN and params["valid"] is True
    assert not intercom.unit.swipe("DEADBEEF")
    assert (await intercom.happened("UserRejected"))[0][1]["reason"] == "invalidCredential"


async def test_a_blocked_access_point_stops_all_but_the_excepted(intercom: Device) -> None:
    await add(intercom)
    for _ in range(2):
        await intercom.ok("accesspoint/blocking/ctrl", id=0, action="on")
    assert (await intercom.ok("accesspoint/blocking/status"))["accessPoints"] == [
        {"id": 0, "blocked": True},
        {"id": 1, "blocked": False},
    ]
    intercom.unit.press_keys("40718*")
    assert (await intercom.happened("UserRejected"))[0][1]["reason"] == "accessBlocked"
    await intercom.put("dir/update", {"users": [{"uuid": ANN, "access": {"accessException": True}}]})
    intercom.unit.press_keys("40718*")
    assert intercom.unit.switches[1].active
    await intercom.ok("accesspoint/blocking/ctrl", id=0, action="off")
    states = [params["state"] for _, params in await intercom.happened("AccessBlocked")]
    assert states == ["in", "out"]


async def test_access_is_granted_by_the_api_in_a_users_name(intercom: Device) -> None:
    await add(intercom)
    assert await intercom.ok("accesspoint/grantaccess", id=0, user=ANN) == {"accessGranted": True}
    assert intercom.unit.switches[1].active
    assert [name for name, _ in await after(intercom, "ApiAccessRequested")][:3] == [
        "ApiAccessRequested",
        "UserAuthenticated",
        "SwitchStateChanged",
    ]
    await intercom.ok("accesspoint/blocking/ctrl", id=0, action="on")
    refused = await intercom.ok("accesspoint/grantaccess", id=0, user=ANN)
    assert refused == {"accessGranted": False, "reason": "accessBlocked"}
    stranger = "00000000-0000-4000-8000-000000000009"
    refused = await intercom.ok("accesspoint/grantaccess", id=0, user=stranger)
    assert refused == {"accessGranted": False, "reason": "invalidCredential"}


async def test_the_exit_button_opens(intercom: Device) -> None:
    intercom.unit.set_input("input2", True)
    assert intercom.unit.switches[1].active
    assert (await intercom.happened("RexActivated"))[0][1] == {"ap": 1, "session": 1}
    assert (await intercom.happened("SwitchStateChanged"))[0][1]["originator"] == "rex"


async def test_a_forced_door_is_reported_until_it_is_shut(intercom: Device) -> None:
    intercom.unit.set_input("input1", True)
    intercom.unit.set_input("input1", True)
    intercom.unit.set_input("input1", False)
    assert (await intercom.happened())[1:] == [
        ("InputChanged", {"port": "input1", "state": True}),
        ("DoorStateChanged", {"state": "opened"}),
        ("UnauthorizedDoorOpen", {"state": "in"}),
        ("InputChanged", {"port": "input1", "state": False}),
        ("DoorStateChanged", {"state": "closed"}),
        ("UnauthorizedDoorOpen", {"state": "out"}),
    ]


async def test_a_door_left_open_is_reported_until_it_is_shut(intercom: Device) -> None:
    await intercom.ok("switch/ctrl", switch=1, action="on")
    intercom.unit.set_input("input1", True)
    await intercom.clock.advance(61)
    intercom.unit.set_input("input1", False)
    states = [params["state"] for _, params in await intercom.happened("DoorOpenTooLong")]
    assert states == ["in", "out"]
    assert await intercom.happened("UnauthorizedDoorOpen", "AccessTaken") == []


async def test_a_call_button_rings_at_its_user(intercom: Device) -> None:
    body = {"name": "Flat 3", "buttons": "2,3", "callPos": [{"peer": "sip:flat3@10.0.0.9"}]}
    await intercom.put("dir/create", {"users": [body]})
    intercom.unit.ring(3)
    events = await after(intercom, "KeyPressed")
    assert [name for name, _ in events] == [
        "KeyPressed",
        "KeyReleased",
        "CallSessionStateChanged",
        "CallStateChanged",
        "CallSessionStateChanged",
        "CallStateChanged",
    ]
    assert events[0][1] == {"key": "%3"}
    assert events[3][1]["peer"] == "sip:flat3@10.0.0.9"


async def test_a_tampered_housing_is_reported(intercom: Device) -> None:
    intercom.unit.set_input("tamper", True)
    assert await intercom.happened("TamperSwitchActivated") == [("TamperSwitchActivated", {"state": "in"})]
    with pytest.raises(KeyError):
        intercom.unit.set_input("relay1", True)


async def test_older_firmware_does_not_say_whether_access_was_granted() -> None:
    async with device(quirks=Quirks(grantaccess_has_result=False)) as intercom:
        await add(intercom)
        assert await intercom.ok("accesspoint/grantaccess", id=0, user=ANN) is None
        assert intercom.unit.switches[1].active
