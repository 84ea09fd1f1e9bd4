"""Logins, services, the order of checks, the envelope and what bodies may look like."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from doorward.providers.my_2n.emulator import (
    ACCESS_UNIT,
    Account,
    Privilege,
    Quirks,
    Service,
    ServiceSettings,
    Unit,
)

from .client import Device, answer, device, user

STATUS = "/api/switch/status"
ON = "/api/switch/ctrl?switch=1&action=on"


async def raw(
    of: Device, path: str, authorization: str | None = None, *, method: str = "GET", **rest: Any
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """One request without a middleware: status, envelope, headers."""
    headers = {**rest.pop("headers", {}), **({"Authorization": authorization} if authorization else {})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, of.url + path, headers=headers, **rest) as response,
    ):
        return response.status, await response.json(), dict(response.headers)


async def challenge(of: Device, path: str = STATUS) -> str:
    status, _, headers = await raw(of, path)
    assert status == 401
    return headers["WWW-Authenticate"]


# ---------------------------------------------------------------- the envelope


async def test_a_401_carries_a_challenge_and_the_error_body(intercom: Device) -> None:
    status, envelope, headers = await raw(intercom, STATUS)
    assert status == 401
    assert envelope == {"success": False, "error": {"code": 9, "description": "authorization required"}}
    assert headers["Content-Type"] == "application/json"
    assert headers["Server"] == "HIP2.50.0.76.2"
    assert 'qop="auth"' in headers["WWW-Authenticate"] and "stale" not in headers["WWW-Authenticate"]


async def test_system_info_needs_no_login_and_has_every_key_that_clients_index(intercom: Device) -> None:
    status, envelope, _ = await raw(intercom, "/api/system/info")
    assert status == 200
    wanted = {"deviceName", "variant", "serialNumber", "macAddr", "swVersion", "buildType", "hwVersion"}
    assert wanted <= envelope["result"].keys()
    assert envelope["result"]["macAddr"].startswith("7C-1E-B3-")


async def test_hardened_firmware_asks_for_a_login_before_system_info() -> None:
    async with device(quirks=Quirks(info_needs_credentials=True)) as intercom:
        assert (await raw(intercom, "/api/system/info"))[0] == 401
        assert (await intercom.ok("system/info"))["serialNumber"] == intercom.unit.serial


async def test_success_without_a_result_is_only_success(intercom: Device) -> None:
    assert await intercom.reply("switch/ctrl", switch=1, action="on") == {"success": True}


async def test_an_unknown_path_is_code_2_with_status_200(intercom: Device) -> None:
    status, envelope, _ = await raw(intercom, "/api/log/log/unsubscribe")
    assert (status, envelope["error"]["code"]) == (200, 2)


@pytest.mark.parametrize("path", ["display/image", "config", "automation/trigger", "lpr/licenseplate", "cert/csr"])
async def test_functions_outside_the_emulator_are_code_1(intercom: Device, path: str) -> None:
    assert await intercom.error(path) == (1, None)


async def test_a_model_without_camera_or_phone_says_code_1() -> None:
    async with device(model=ACCESS_UNIT) as intercom:
        assert await intercom.error("camera/caps") == (1, None)
        assert await intercom.error("phone/status") == (1, None)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "dir/create"), ("GET", "dir/query"), ("PUT", "call/dial"), ("DELETE", "switch/ctrl")]
)
async def test_a_wrong_verb_is_code_3(intercom: Device, method: str, path: str) -> None:
    assert await intercom.error(path, method=method) == (3, None)


async def test_a_slash_before_the_question_mark_is_accepted(intercom: Device) -> None:
    assert len((await intercom.ok("switch/caps/", switch=1))["switches"]) == 1


async def test_the_response_text_replaces_the_envelope(intercom: Device) -> None:
    async with intercom.session.get(f"{intercom.url}{ON}&response=Come+in") as response:
        assert await response.text() == "Come in"
        assert response.content_type == "text/plain"
    assert intercom.unit.switches[1].active


# ---------------------------------------------------------------- services and privileges


async def test_a_service_that_is_off_is_code_4_even_for_strangers(intercom: Device) -> None:
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(enabled=False))
    status, envelope, _ = await raw(intercom, STATUS)
    assert (status, envelope["error"]["code"]) == (200, 4)
    assert await intercom.ok("io/status")


async def test_a_service_that_wants_tls_is_code_7_on_plain_http(intercom: Device) -> None:
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(connection="tls"))
    assert await intercom.error("switch/status") == (7, None)


async def test_basic_on_a_digest_service_is_code_8_with_the_right_challenge(intercom: Device) -> None:
    status, envelope, headers = await raw(intercom, STATUS, aiohttp.encode_basic_auth("jane", "1234"))
    assert (status, envelope["error"]["code"]) == (401, 8)
    assert headers["WWW-Authenticate"].startswith("Digest ")


async def test_digest_on_a_basic_service_is_code_8(intercom: Device) -> None:
    offered = await challenge(intercom)
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(authentication="basic"))
    status, envelope, headers = await raw(intercom, STATUS, answer(offered, STATUS))
    assert (status, envelope["error"]["code"]) == (401, 8)
    assert headers["WWW-Authenticate"].startswith("Basic ")


async def test_a_wrong_scheme_may_also_be_code_9_with_status_200() -> None:
    async with device(quirks=Quirks(wrong_scheme_code=9, wrong_scheme_status=200)) as intercom:
        status, envelope, headers = await raw(intercom, STATUS, aiohttp.encode_basic_auth("jane", "1234"))
        assert (status, envelope["error"]["code"]) == (200, 9)
        assert "WWW-Authenticate" not in headers


@pytest.mark.parametrize("password", ["", "12345", "wrong", "ü"])
async def test_a_wrong_basic_password_is_a_401(intercom: Device, password: str) -> None:
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(authentication="basic"))
    header = aiohttp.encode_basic_auth("jane", password, encoding="utf-8")
    assert (await raw(intercom, STATUS, header))[0] == 401
    assert (await raw(intercom, STATUS, "Basic ????"))[0] == 401


async def test_a_service_without_login_serves_everyone(intercom: Device) -> None:
    intercom.unit.configure_service(Service.SWITCH, ServiceSettings(authentication="none"))
    assert (await raw(intercom, ON))[1] == {"success": True}


async def test_a_service_without_login_may_also_grant_nothing() -> None:
    async with device(quirks=Quirks(no_authentication_grants_all=False)) as intercom:
        intercom.unit.configure_service(Service.SWITCH, ServiceSettings(authentication="none"))
        assert (await raw(intercom, ON))[1]["error"]["code"] == 10


@pytest.mark.parametrize(
    ("held", "allowed", "refused"),
    [
        (frozenset({Privilege.SYSTEM_MONITORING}), "system/status", "dir/template"),
        (frozenset({Privilege.SYSTEM_CONTROL}), "dir/template", "switch/status"),
        (frozenset({Privilege.IO_MONITORING}), "io/caps", "switch/caps"),
        (frozenset({Privilege.ACCESS_MONITORING}), "accesspoint/blocking/status", "accesspoint/grantaccess"),
        (frozenset[Privilege](), "log/caps", "io/caps"),
    ],
)
async def test_a_missing_privilege_is_code_10(held: frozenset[Privilege], allowed: str, refused: str) -> None:
    async with device(privileges=held) as intercom:
        assert await intercom.ok(allowed)
        assert await intercom.error(refused) == (10, None)


async def test_a_disabled_account_is_a_wrong_password(intercom: Device) -> None:
    intercom.unit.put_account(Account("jane", "1234", enabled=False))
    assert await intercom.error("switch/status") == (9, None)


def test_a_sixth_account_is_refused() -> None:
    with pytest.raises(ValueError, match="five accounts"):
        Unit(accounts=[Account(f"user{n}", "secret") for n in range(6)])


# ---------------------------------------------------------------- digest


@pytest.mark.parametrize("uri", [ON, "/api/switch/ctrl"])
async def test_the_digest_uri_may_lack_the_query(intercom: Device, uri: str) -> None:
    status, envelope, _ = await raw(intercom, ON, answer(await challenge(intercom), uri))
    assert (status, envelope) == (200, {"success": True})


@pytest.mark.parametrize("uri", ["/api/switch/status", "/", ""])
async def test_a_digest_for_another_function_is_refused_and_does_nothing(intercom: Device, uri: str) -> None:
    status, _, _ = await raw(intercom, ON, answer(await challenge(intercom), uri))
    assert status == 401
    assert not intercom.unit.switches[1].active


async def test_strict_firmware_wants_the_whole_uri() -> None:
    async with device(quirks=Quirks(strict_uri=True)) as intercom:
        offered = await challenge(intercom)
        assert (await raw(intercom, ON, answer(offered, "/api/switch/ctrl")))[0] == 401
        assert (await raw(intercom, ON, answer(offered, ON)))[0] == 200


async def test_a_nonce_count_may_start_again_unless_the_firmware_is_strict(intercom: Device) -> None:
    offered = await challenge(intercom)
    for _ in range(2):
        assert (await raw(intercom, STATUS, answer(offered, STATUS)))[0] == 200
    async with device(quirks=Quirks(strict_nc=True)) as strict:
        offered = await challenge(strict)
        assert (await raw(strict, STATUS, answer(offered, STATUS)))[0] == 200
        status, _, headers = await raw(strict, STATUS, answer(offered, STATUS))
        assert status == 401 and "stale=true" in headers["WWW-Authenticate"]
        assert (await raw(strict, STATUS, answer(offered, STATUS, count=2)))[0] == 200


async def test_an_old_nonce_is_stale_only_for_a_right_answer(intercom: Device) -> None:
    offered = await challenge(intercom)
    await intercom.clock.advance(301)
    _, _, headers = await raw(intercom, STATUS, answer(offered, STATUS))
    assert "stale=true" in headers["WWW-Authenticate"]
    _, _, headers = await raw(intercom, STATUS, answer(offered, STATUS, password="wrong"))
    assert "stale" not in headers["WWW-Authenticate"]


async def test_an_invented_nonce_is_refused_without_stale(intercom: Device) -> None:
    invented = 'Digest realm="2N", nonce="00000000ffffffffffffffffffffffffffffffffffff"'
    status, _, headers = await raw(intercom, STATUS, answer(invented, STATUS))
    assert status == 401 and "stale" not in headers["WWW-Authenticate"]


async def test_wrong_passwords_in_a_row_are_reported_as_blocked_login() -> None:
    async with device(quirks=Quirks(bad_logins_before_event=3)) as intercom:
        offered = await challenge(intercom)
        for _ in range(3):
            await raw(intercom, STATUS, answer(offered, STATUS, password="guess"))
        assert await intercom.happened("LoginBlocked") == [("LoginBlocked", {"address": "127.0.0.1"})]


async def test_nothing_is_done_before_the_login_is_good(intercom: Device) -> None:
    await raw(intercom, ON)
    await raw(intercom, "/api/dir/create", method="PUT", json={"users": [user("1234")]})
    await raw(intercom, "/api/system/restart")
    await raw(intercom, "/api/call/dial?number=1", answer(await challenge(intercom), STATUS))
    assert not intercom.unit.switches[1].active
    assert len(intercom.unit.directory) == 0
    assert not intercom.unit.calls.sessions
    await intercom.clock.advance(10)
    assert intercom.unit.time.up_seconds() >= 10


# ---------------------------------------------------------------- bodies and parameters


async def test_an_empty_post_marked_as_octets_is_code_14_and_does_nothing(intercom: Device) -> None:
    for data in (b"", b"switch=1"):
        async with intercom.session.post(intercom.url + ON, data=data) as response:
            envelope = await response.json()
        assert envelope["error"] == {"code": 14, "description": "Unsupported Content-Type"}
    assert not intercom.unit.switches[1].active


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json"])
async def test_a_post_with_a_known_type_may_have_its_parameters_in_the_query(intercom: Device, kind: str) -> None:
    async with intercom.session.post(intercom.url + ON, headers={"Content-Type": kind}) as response:
        assert await response.json() == {"success": True}


async def test_parameters_come_by_form_by_json_and_by_multipart(intercom: Device) -> None:
    url = f"{intercom.url}/api/switch/ctrl"
    multipart = aiohttp.FormData({"switch": "1", "action": "off"}, default_to_multipart=True)
    for body in (
        {"data": {"switch": "1", "action": "on"}},
        {"json": {"switch": 1, "action": "on"}},
        {"data": multipart},
    ):
        async with intercom.session.post(url, **body) as response:
            assert await response.json() == {"success": True}
    assert not intercom.unit.switches[1].active


@pytest.mark.parametrize("blob", ["blob-json", "blob-dir_new"])
async def test_the_directory_takes_multipart_blobs(intercom: Device, blob: str) -> None:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field(blob, json.dumps({"users": [user("40718")]}), content_type="application/json")
    # The login's first leg is refused, and a form can be sent only once.
    header = answer(await challenge(intercom), "/api/dir/create", method="PUT")
    _, envelope, _ = await raw(intercom, "/api/dir/create", header, method="PUT", data=form)
    assert envelope["success"] and len(intercom.unit.directory) == 1


@pytest.mark.parametrize("body", ["{", "[]", "1", '"x"', "[" * 5000])
async def test_json_that_is_no_object_is_code_12(intercom: Device, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with intercom.session.put(f"{intercom.url}/api/dir/create", data=body, headers=headers) as response:
        assert (await response.json())["error"]["code"] == 12


async def test_a_body_that_is_too_big_is_code_13() -> None:
    async with device(quirks=Quirks(max_body_bytes=1000)) as intercom:
        body = {"users": [user("1234", name="x" * 2000)]}
        assert await intercom.error("dir/create", method="PUT", json=body) == (13, None)
        assert len(intercom.unit.directory) == 0


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("switch/ctrl", {"action": "on"}, (11, "switch")),
        ("switch/ctrl", {"switch": 1}, (11, "action")),
        ("switch/ctrl", {"switch": 5, "action": "on"}, (12, "switch")),
        ("switch/ctrl", {"switch": "one", "action": "on"}, (12, "switch")),
        ("switch/ctrl", {"switch": 1, "action": "ON"}, (12, "action")),
        ("switch/ctrl", {"switch": 2, "action": "on"}, (14, None)),
        ("switch/ctrl", {"switch": 1, "action": "hold", "timeout": 86401}, (12, "timeout")),
        ("switch/status", {"switch": 0}, (12, "switch")),
        ("io/status", {"port": "relay9"}, (12, "port")),
        ("io/ctrl", {"port": "input1", "action": "on"}, (12, "port")),
        ("io/ctrl", {"port": "relay1", "action": "toggle"}, (12, "action")),
        ("io/ctrl", {"action": "on"}, (11, "port")),
        ("log/pull", {}, (11, "id")),
        ("log/pull", {"id": 7}, (12, "id")),
        ("log/unsubscribe", {"id": 7}, (12, "id")),
        ("log/subscribe", {"duration": 3601}, (12, "duration")),
        ("log/subscribe", {"include": "yesterday"}, (12, "include")),
        ("call/hangup", {"session": 5}, (14, None)),
        ("call/hangup", {"session": 2**31}, (12, "session")),
        ("call/hangup", {"session": "true"}, (12, "session")),
        ("call/hangup", {}, (11, "session")),
        ("call/hangup", {"session": 5, "reason": "bored"}, (12, "reason")),
        ("call/dial", {}, (11, "number")),
        ("call/dial", {"number": 1, "users": "x"}, (17, "users")),
        ("call/dial", {"users": "x"}, (12, "users")),
        ("call/dial", {"users": ""}, (12, "users")),
        ("camera/snapshot", {"width": 640}, (11, "height")),
        ("camera/snapshot", {"width": 641, "height": 480}, (12, "width")),
        ("camera/snapshot", {"width": 640, "height": 480, "fps": 16}, (12, "fps")),
        ("camera/snapshot", {"width": 640, "height": 480, "source": "external"}, (12, "source")),
        ("accesspoint/blocking/ctrl", {"id": 2, "action": "on"}, (12, "id")),
        ("accesspoint/blocking/ctrl", {"action": "on"}, (11, "id")),
        ("accesspoint/grantaccess", {"id": 0}, (11, "user")),
        ("accesspoint/grantaccess", {"id": 0, "user": "me"}, (12, "user")),
    ],
)
async def test_wrong_parameters_have_their_codes(
    intercom: Device, path: str, params: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    assert await intercom.error(path, **params) == expected


async def test_unknown_parameters_and_a_stray_timeout_are_ignored(intercom: Device) -> None:
    assert await intercom.ok("switch/ctrl", switch=1, action="on", timeout=0, duration=7) is None


async def test_a_disabled_access_point_is_code_18(intercom: Device) -> None:
    intercom.unit.access.points[0].enabled = False
    assert await intercom.error("accesspoint/blocking/ctrl", id=0, action="on") == (18, None)


# ---------------------------------------------------------------- the small functions


async def test_a_snapshot_is_a_jpeg_of_the_asked_size(intercom: Device) -> None:
    for size in (await intercom.ok("camera/caps"))["jpegResolution"]:
        async with intercom.session.get(f"{intercom.url}/api/camera/snapshot", params=size) as response:
            picture = await response.read()
        assert response.content_type == "image/jpeg"
        assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")
        frame = picture.index(b"\xff\xc0")
        assert int.from_bytes(picture[frame + 5 : frame + 7], "big") == size["height"]
        assert int.from_bytes(picture[frame + 7 : frame + 9], "big") == size["width"]


async def test_a_picture_stream_repeats_frames(intercom: Device) -> None:
    url = f"{intercom.url}/api/camera/snapshot?width=160&height=120&fps=15"
    async with intercom.session.get(url) as response:
        assert response.content_type == "multipart/x-mixed-replace"
        assert (await response.content.readline()).startswith(b"--frame")


async def test_inputs_and_outputs_are_listed_in_one_order(intercom: Device) -> None:
    caps = (await intercom.ok("io/caps"))["ports"]
    states = (await intercom.ok("io/status"))["ports"]
    assert [port["port"] for port in caps] == [port["port"] for port in states]
    assert {port["type"] for port in caps} == {"input", "output"}


async def test_an_output_is_driven_by_hand(intercom: Device) -> None:
    await intercom.ok("io/ctrl", port="output1", action="on")
    assert (await intercom.ok("io/status", port="output1"))["ports"] == [{"port": "output1", "state": 1}]
    assert await intercom.happened("OutputChanged") == [("OutputChanged", {"port": "output1", "state": True})]


async def test_time_and_zone_are_read_and_set(intercom: Device) -> None:
    zones = (await intercom.ok("system/timezone/caps"))["zones"]
    assert "Europe/Prague" in zones
    await intercom.ok("system/timezone", method="PUT", headers=FORM, zone="Europe/Prague")
    assert (await intercom.ok("system/timezone"))["zone"] == "Europe/Prague"
    await intercom.ok("system/timezone", method="PUT", headers=FORM, zone="custom", custom="UTC-08:00")
    assert (await intercom.ok("system/timezone"))["custom"] == "UTC-08:00"
    assert await intercom.error("system/timezone", method="PUT", headers=FORM, zone="Moon/Sea") == (12, "zone")

    await intercom.ok("system/time", method="PUT", headers=FORM, automatic=0, utcTime=1_800_000_000)
    assert await intercom.ok("system/time") == {
        "automatic": False,
        "utcTime": 1_800_000_000,
        "server": "pool.ntp.org",
    }
    assert (await intercom.ok("system/status"))["systemTime"] == 1_800_000_000


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_call_rings_is_answered_and_ends(intercom: Device) -> None:
    session = (await intercom.ok("call/dial", number="sip:101@10.0.0.2"))["session"]
    (line,) = (await intercom.ok("call/status"))["sessions"]
    assert (line["session"], line["direction"], line["state"]) == (session, "outgoing", "ringing")
    await intercom.ok("call/answer", session=session)
    await intercom.ok("call/hangup", session=session, reason="busy")
    assert await intercom.ok("call/status") == {"sessions": []}
    states = [params["state"] for _, params in await intercom.happened("CallStateChanged")]
    assert states == ["connecting", "ringing", "connected", "terminated"]


async def test_a_call_that_nobody_answers_ends(intercom: Device) -> None:
    await intercom.ok("call/dial", number="1")
    await intercom.clock.advance(61)
    last = (await intercom.happened("CallStateChanged"))[-1][1]
    assert (last["state"], last["reason"]) == ("terminated", "noanswer")


async def test_call_status_may_be_a_bare_array() -> None:
    async with (
        device(quirks=Quirks(bare_call_status=True)) as intercom,
        intercom.session.get(f"{intercom.url}/api/call/status") as response,
    ):
        assert await response.json() == []


async def test_system_functions_tell_of_the_unit(intercom: Device) -> None:
    await intercom.clock.advance(100)
    status = await intercom.ok("system/status")
    assert status == {"systemTime": intercom.clock.now() // 1000, "upTime": 100}
    assert (await intercom.ok("system/caps"))["options"]["camera"] == "active,licensed"
    assert len((await intercom.ok("phone/status"))["accounts"]) == 2


# ---------------------------------------------------------------- hostile bytes


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /api/\xff\xfe HTTP/1.1",
        b"GET /api/switch/status?\xff=\xff&%ff=%00 HTTP/1.1",
        b"GET http://elsewhere/api/switch/status?switch=1 HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS /api/switch/status HTTP/1.1",
        b"HEAD /api/switch/status HTTP/1.1",
        b"GET //api//switch HTTP/1.1",
        b"BREW /api/switch/ctrl HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        b"Digest",
        b'Digest username="\xff\xfe", nonce="\xff", uri="\xff", response="\xff"',
        b'Digest username="jane", realm="2N", nonce="' + b"0" * 40 + b'", uri="/", response="' + b"0" * 32 + b'"',
        b"Digest " + b'a="' * 500,
        b"Basic \xff",
        b"Bearer token",
        b"",
    ],
)
async def test_strange_requests_are_answered_and_open_nothing(
    intercom: Device, request_line: bytes, header: bytes
) -> None:
    reader, writer = await asyncio.open_connection(intercom.listener.host, intercom.listener.port)
    writer.write(request_line + b"\r\nHost: x\r\nConnection: close\r\nAuthorization: " + header + b"\r\n\r\n")
    status = await reader.readline()
    assert status.split()[1] in (b"200", b"400", b"401")
    writer.close()
    assert not intercom.unit.switches[1].active


async def test_a_malformed_request_leaves_none_of_its_bytes_in_the_log(
    intercom: Device, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(intercom.listener.host, intercom.listener.port)
    writer.write(b"GET /api/system/info HTTP/1.1\r\nHost: x\r\nAuthorization Basic s3cret\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="force"\r\n\r\n\xff\r\n--b--\r\n',
        ),
        ("application/x-www-form-urlencoded", b"users=\xff"),
        ("application/json", b'{"users":[{"name":"\\ud800"}]}'),
        ("application/json", b'{"users":[{"access":{"validTo":"' + b"9" * 5000 + b'"}}]}'),
        ("application/json", b'{"users":[{"access.code[' + b"9" * 5000 + b']":"1234"}]}'),
        ("application/json", b'{"users":[{"name":1e999}]}'),
        ("application/json", b'{"users":[{"access":' + b'{"access":' * 400 + b"1" + b"}" * 402 + b"]}"),
        ("application/json", b'{"force":[],"users":[{"uuid":{}}]}'),
        ("text/xml", b"<x/>"),
        ("", b"{}"),
    ],
)
async def test_strange_bodies_are_refused_and_store_nothing(intercom: Device, kind: str, body: bytes) -> None:
    header = answer(await challenge(intercom), "/api/dir/create", method="PUT")
    headers = {"Content-Type": kind} if kind else {}
    skip = [] if kind else ["Content-Type"]
    async with (
        aiohttp.ClientSession(skip_auto_headers=skip) as session,
        session.put(
            f"{intercom.url}/api/dir/create", data=body, headers={"Authorization": header, **headers}
        ) as response,
    ):
        assert response.status == 200
        envelope = await response.json()
    if envelope["success"]:
        assert all("errors" in entry for entry in envelope["result"].get("users", []))
    assert len(intercom.unit.directory) == 0
