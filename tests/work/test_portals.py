"""Customer portals: what a link opens, for how long, and what it never shows or does."""

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tests.support.server import Reply, World, new_workspace, request, serving

from doorward.wire.time import iso

CREATE = "/customers/create_portal"
DAY_S = 24 * 3600


class Person:
    """Whoever opened a portal's link."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.link = dict(parse_qsl(urlsplit(url).query))

    async def see(self, at: str | None = None, **query: str) -> Reply:
        """A page."""
        return await self.open({**({"at": at} if at else {}), **query})

    async def open(self, query: dict[str, str]) -> Reply:
        """An address of the portal."""
        text = urlencode({**self.link, **query}, errors="surrogatepass")
        return await request(self.world.app, "GET", "/portal/view", query=text)

    @property
    def csrf(self) -> str:
        """What the page's own forms hold."""
        return self.world.core.vault.digest("csrf", self.link["portal_id"], self.link["auth_token"])

    async def send(self, at: str, act: str, *, csrf: str | None = None, about: Any = (), **fields: str) -> Reply:
        """A form of a page, as a browser sends it."""
        query = urlencode({**self.link, "at": at, **dict(about)})
        body = urlencode({"csrf": self.csrf if csrf is None else csrf, "act": act, **fields}).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await request(self.world.app, "POST", "/portal/view", query=query, body=body, headers=kind)


async def portal(world: World, customer_key: str = "hotel", **wanted: Any) -> Person:
    data = {"customer_key": customer_key, **wanted.pop("data", {})}
    made = (await world.call(CREATE, customer_data=data, **wanted))["customer_portal"]
    return Person(world, made["url"])


async def belongs_to(world: World, customer_key: str) -> None:
    """The account that was connected last becomes this customer's."""
    account_id = (await world.device())["connected_account_id"]
    await world.call("/connected_accounts/update", connected_account_id=account_id, customer_key=customer_key)


async def is_set(world: World, access_code_id: str) -> bool:
    return bool((await world.code(access_code_id))["status"] == "set")


async def test_a_link_is_made_with_what_is_told(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        rooms = [{"room_key": "101", "name": "Room 101"}]
        reply = await world.call(CREATE, customer_data={"customer_key": "hotel", "rooms": rooms})
        made = reply["customer_portal"]
        assert reply["magic_link"] == made
        assert made.keys() == {"url", "customer_key", "workspace_id", "expires_at", "created_at"}
        assert (made["customer_key"], made["workspace_id"]) == ("hotel", world.workspace.workspace_id)
        assert (await world.call("/spaces/get", space_key="101"))["space"]["customer_key"] == "hotel"
        person = Person(world, made["url"])
        first = await person.see()
        assert (first.status, first.headers["location"].split("&at=")[1]) == (303, "devices")
        page = await person.see("places")
        assert (page.status, b"Room 101" in page.body) == (200, True)
        # What the link holds opens the page, and nothing else.
        session = (await world.call("/client_sessions/list"))["client_sessions"][0]
        assert session["token"] not in made["url"]
        for key in (person.link["auth_token"], person.link["portal_id"]):
            assert (await world.raw("/devices/list", {}, key=key)).status == 401


async def test_a_link_ends(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        old, person = await portal(world), await portal(world)
        sessions = (await world.call("/client_sessions/list"))["client_sessions"]
        await world.call("/client_sessions/revoke", client_session_id=sessions[0]["client_session_id"])
        assert (await old.see("devices")).status == 404
        assert (await person.see("devices")).status == 200
        world.clock.jump(DAY_S - 1)
        assert (await person.see("devices")).status == 200
        world.clock.jump(1)
        gone = await person.see("devices")
        assert (gone.status, b"This link does not work" in gone.body) == (404, True)
        plain = (await world.call("/client_sessions/create"))["client_session"]["client_session_id"]
        await portal(world)
        left = [one["client_session_id"] for one in (await world.call("/client_sessions/list"))["client_sessions"]]
        assert (len(left), left[0]) == (2, plain)


@pytest.mark.parametrize(
    "change",
    [{"auth_token": "x"}, {"auth_token": ""}, {"portal_id": "cst1nobody"}, {"portal_id": ""}, {"portal_id": "\0"}],
)
async def test_another_link_opens_nothing(tmp_path: Path, change: dict[str, str]) -> None:
    async with serving(tmp_path, None) as world:
        person, other = await portal(world), await portal(world, "other")
        person.link |= change or other.link
        assert (await person.see("devices")).status == 404
        mixed = Person(world, "")
        mixed.link = {**other.link, "auth_token": (await portal(world)).link["auth_token"]}
        assert (await mixed.see("devices")).status == 404


async def test_a_plain_session_is_no_portal(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]
        short, long = session["token"].rsplit("_", 1)
        for portal_id, token in ((short, long), (session["token"], session["token"])):
            person = Person(world, "")
            person.link = {"portal_id": portal_id, "auth_token": token}
            assert (await person.see("devices")).status == 404


async def test_it_shows_and_does_only_what_is_the_customers(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        device_id = world.devices[0]
        code = (await world.call("/access_codes/create", device_id=device_id, code="739152"))["access_code"]
        await world.eventually(lambda: is_set(world, code["access_code_id"]))
        space = (await world.call("/spaces/create", name="Secret", customer_key="hotel", space_key="s"))["space"]
        stranger = await portal(world, "other", data={"spaces": [{"space_key": "t", "name": "Theirs"}]})
        theirs = (await world.call("/spaces/get", space_key="t"))["space"]["space_id"]
        for at, about in (
            ("device", {"device_id": device_id}),
            ("place", {"space_id": space["space_id"]}),
            ("place", {"space_key": "s"}),
            ("booking", {"access_grant_id": "x"}),
        ):
            assert (await stranger.see(at, **about)).status == 404, at
        for at in ("devices", "places", "accounts", "bookings"):
            page = await stranger.see(at)
            assert page.status == 200
            assert not [one for one in (device_id, space["space_id"], "Secret", "739152") if one in page.body.decode()]
        events = await world.events()
        account_id = (await world.device())["connected_account_id"]
        for act, fields in (
            ("unlock", {"device_id": device_id}),
            ("rename_device", {"device_id": device_id, "name": "Mine"}),
            ("make_code", {"device_id": device_id, "name": "Mine"}),
            ("remove_code", {"access_code_id": code["access_code_id"]}),
            ("book", {"space_id": space["space_id"], "name": "Mine"}),
            ("rename_place", {"space_id": space["space_id"], "name": "Mine"}),
            ("remove_place", {"space_id": space["space_id"]}),
            ("put", {"space_id": theirs, "device": device_id}),
            ("take", {"space_id": space["space_id"], "device_id": device_id}),
            ("leave", {"connected_account_id": account_id}),
        ):
            reply = await stranger.send("places", act, **fields)
            assert reply.status == 404, (act, reply)
        assert await world.events() == events


async def test_features_that_are_left_out_are_not_there(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        about = {"device_id": world.devices[0]}
        person = await portal(world, features={"manage": {"exclude": True}})
        for at in ("devices", "device", "bookings", "booking"):
            assert (await person.see(at, **about)).status == 404
        assert (await person.send("places", "unlock", **about)).status == 400
        assert (await person.see()).headers["location"].endswith("&at=places")
        person = await portal(world, features={"manage": {"exclude_reservation_management": True}})
        assert [(await person.see(at)).status for at in ("devices", "bookings")] == [200, 404]
        person = await portal(world, features={"connect": {"exclude": True}, "organize": {"exclude": True}})
        assert [(await person.see(at)).status for at in ("places", "accounts")] == [404, 404]
        assert (await person.send("devices", "make_place", name="New")).status == 400
        assert (await person.send("devices", "connect")).status == 400
        nothing = {key: {"exclude": True} for key in ("manage", "connect", "organize")}
        data = {"customer_key": "hotel"}
        await world.fail(CREATE, 400, "invalid_input", customer_data=data, features=nothing)
        await world.fail(CREATE, 400, "invalid_input")
        # What a form sends to a page that is left out does nothing.
        assert (await world.call("/spaces/list"))["spaces"] == []


async def test_one_for_looking_changes_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        person = await portal(world, read_only=True)
        events = await world.events()
        [session] = (await world.call("/client_sessions/list"))["client_sessions"]
        reply = await world.raw("/spaces/create", {"name": "New"}, key=session["token"])
        assert reply.status == 401
        assert (await world.raw("/devices/list", {}, key=session["token"])).status == 200
        # Not the link of a login that waits for somebody, either: it is as good as connecting.
        order = {"accepted_providers": ["my_2n"], "customer_key": "hotel"}
        waiting = (await world.call("/connect_webviews/create", **order))["connect_webview"]
        assert (await world.raw("/connect_webviews/list", {}, key=session["token"])).json["connect_webviews"] == []
        about = {"connect_webview_id": waiting["connect_webview_id"]}
        assert (await world.raw("/connect_webviews/get", about, key=session["token"])).status == 404
        events = await world.events()
        for act, fields in (
            ("unlock", {"device_id": world.devices[0]}),
            ("make_code", {"device_id": world.devices[0], "name": "New"}),
            ("make_place", {"name": "New"}),
            ("connect", {}),
        ):
            reply = await person.send("places", act, **fields)
            assert (reply.status, b"for looking only" in reply.body) == (403, True), act
        assert await world.events() == events
        page = await person.see("device", device_id=world.devices[0])
        assert (page.status, b'method="post"' in page.body) == (200, False)


async def test_only_what_has_the_metadata(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await belongs_to(world, "hotel")
        north, south = world.devices
        await world.call("/devices/update", device_id=north, custom_metadata={"wing": "north", "is_open": True})
        wanted = [
            {"field": "wing", "operation": "=", "value": "north"},
            {"field": "is_open", "operation": "=", "value": True},
        ]
        person = await portal(world, customer_resources_filters=wanted)
        page = (await person.see("devices")).body.decode()
        assert (north in page, south in page) == (True, False)
        assert (await person.see("device", device_id=north)).status == 200
        assert (await person.see("device", device_id=south)).status == 404
        assert (await person.send("devices", "unlock", device_id=south)).status == 404
        assert "jane@example.com" not in (await person.see("accounts")).body.decode()
        account_id = (await world.device())["connected_account_id"]
        assert (await person.send("accounts", "leave", connected_account_id=account_id)).status == 404


async def test_where_it_begins(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        data: dict[str, Any] = {"rooms": [{"room_key": "101", "name": "Room 101"}]}
        await world.call("/customers/push_data", customer_key="hotel", rooms=data["rooms"])
        space = (await world.call("/spaces/get", space_key="101"))["space"]
        for landing, at in (
            ({"room_key": "101"}, f"place&space_id={space['space_id']}"),
            ({"unit_key": "101"}, "devices"),
            ({"room_key": "102"}, "devices"),
            ({"reservation_key": "r7"}, "devices"),
        ):
            person = await portal(world, data=data, landing_page={"manage": landing})
            assert (await person.see()).headers["location"].endswith(f"&at={at}"), landing
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices)
        data["reservations"] = [{"reservation_key": "r7", "name": "Jane", "room_keys": ["101"]}]
        person = await portal(world, data=data, landing_page={"manage": {"reservation_key": "r7"}})
        booking = (await world.call("/access_grants/get", access_grant_key="r7"))["access_grant"]
        begins = f"&at=booking&access_grant_id={booking['access_grant_id']}"
        assert (await person.see()).headers["location"].endswith(begins)
        for deep, at in (
            ({"resource_type": "device", "resource_id": world.devices[0]}, f"device&device_id={world.devices[0]}"),
            ({"resource_type": "device", "resource_id": "x"}, "devices"),
            ({"resource_type": "space", "resource_key": "101"}, f"place&space_id={space['space_id']}"),
            ({"resource_type": "reservation", "resource_key": "r7"}, begins.removeprefix("&at=")),
        ):
            one = await portal(world, deep_link=deep)
            assert (await one.see()).headers["location"].endswith(f"&at={at}"), deep
        about = {"customer_data": {"customer_key": "hotel"}, "deep_link": {"resource_type": "device"}}
        await world.fail(CREATE, 400, "invalid_input", **about)
        restricted = await portal(world, navigation_mode="restricted")
        assert [b"<nav" in (await one.see("devices")).body for one in (person, restricted)] == [True, False]


async def test_frames_forms_and_copies(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        plain, framed = await portal(world), await portal(world, is_embedded=True)
        policies = [(await one.see("devices")).headers["content-security-policy"] for one in (plain, framed)]
        assert ["frame-ancestors 'none'" in one for one in policies] == [True, False]
        page = await plain.see("devices")
        assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert (await plain.send("places", "make_place", csrf="", name="New")).status == 403
        assert (await plain.send("places", "make_place", csrf=framed.csrf, name="New")).status == 403
        assert (await plain.send("places", "no_such_act")).status == 400
        assert (await world.call("/spaces/list"))["spaces"] == []
        assert (await plain.see("no_such_page")).status == 404


async def test_times_are_those_of_the_place(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        space = {"space_key": "101", "name": "Room", "customer_data": {"time_zone": "America/New_York"}}
        person = await portal(world, data={"spaces": [space]})
        space_id = (await world.call("/spaces/get", space_key="101"))["space"]["space_id"]
        await world.call("/spaces/add_devices", space_id=space_id, device_ids=world.devices)
        frame = {"starts_at": "2090-07-01T15:00", "ends_at": "2090-07-04T11:00"}
        about = {"space_id": space_id}
        reply = await person.send("place", "book", about=about, space_id=space_id, name="Jane", code="739152", **frame)
        assert reply.status == 303, reply
        [grant] = (await world.call("/access_grants/list"))["access_grants"]
        assert (grant["starts_at"], grant["ends_at"]) == ("2090-07-01T19:00:00.000Z", "2090-07-04T15:00:00.000Z")
        page = (await person.see("booking", access_grant_id=grant["access_grant_id"])).body.decode()
        assert "1 Jul 2090, 15:00 to 4 Jul 2090, 11:00" in page
        for wrong in ("soon", "2090-13-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00"):
            reply = await person.send("place", "book", about=about, space_id=space_id, name="Jane", ends_at=wrong)
            assert reply.status == 400, wrong
        assert len((await world.call("/access_grants/list"))["access_grants"]) == 1


async def test_without_a_zone_of_its_own_a_place_has_that_of_its_door(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        (await world.unit_to_be()).time.set_zone("Asia/Tokyo")
        await world.connect()
        await belongs_to(world, "hotel")
        person = await portal(world, data={"spaces": [{"space_key": "101", "name": "Room"}]})
        space_id = (await world.call("/spaces/get", space_key="101"))["space"]["space_id"]
        await world.call("/spaces/add_devices", space_id=space_id, device_ids=world.devices)
        frame = {"starts_at": "2090-07-01T15:00", "ends_at": "2090-07-04T11:00"}
        about = {"space_id": space_id}
        assert (await person.send("place", "book", about=about, **about, name="Jane", **frame)).status == 303
        [grant] = (await world.call("/access_grants/list"))["access_grants"]
        assert grant["starts_at"] == "2090-07-01T06:00:00.000Z"
        for at in ("bookings", "booking"):
            page = await person.see(at, access_grant_id=grant["access_grant_id"])
            assert b"1 Jul 2090, 15:00 to 4 Jul 2090, 11:00" in page.body, at


async def test_times_at_the_end_of_the_calendar_are_shown(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        space = {"space_key": "101", "name": "Room", "customer_data": {"time_zone": "Pacific/Auckland"}}
        person = await portal(world, data={"spaces": [space]})
        ids = {
            "device_ids": world.devices,
            "space_id": (await world.call("/spaces/get", space_key="101"))["space"]["space_id"],
        }
        await world.call("/spaces/add_devices", **ids)
        booking = {"reservation_key": "r", "name": "Jane", "space_keys": ["101"], "ends_at": "9999-12-31T23:59:00Z"}
        await world.call("/customers/push_data", customer_key="hotel", reservations=[booking])
        for at in ("bookings", "booking"):
            page = await person.see(at, **({"access_grant_key": "r"} if at == "booking" else {}))
            assert (page.status, b"31 Dec 9999, 23:59" in page.body) == (200, True), at


# ---------------------------------------------------------------- what is asked for wrongly


async def test_no_address_of_a_portal_breaks_it(tmp_path: Path, database_url: str | None) -> None:
    """Every page with every parameter, right, strange and another customer's."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        rooms = [{"space_key": f"s{n}", "name": "A secret room"} for n in range(2)]
        mine = await portal(world, data={"spaces": rooms})
        space = (await world.call("/spaces/get", space_key="s0"))["space"]
        await world.call("/spaces/add_devices", space_id=space["space_id"], device_ids=world.devices)
        booking = {"reservation_key": "r", "name": "A secret guest", "space_keys": ["s0"]}
        await world.call("/customers/push_data", customer_key="hotel", reservations=[booking])
        grant = (await world.call("/access_grants/get", access_grant_key="r"))["access_grant"]
        other = await portal(world, "other")
        session = (await world.call("/client_sessions/create", customer_key="hotel"))["client_session"]["token"]
        cursors = {
            path: (await world.raw(path, {"limit": 1}, key=session)).json["pagination"]["next_page_cursor"] or ""
            for path in ("/spaces/list", "/devices/list")
        }
        strange = [
            "",
            " ",
            "x",
            "%",
            "'",
            "\\",
            "\0",
            "\ud800",
            "é" * 200,
            "9" * 5000,
            "null",
            "[]",
            "<b>",
            *cursors.values(),
        ]
        right = {
            "device_id": world.devices[0],
            "space_id": space["space_id"],
            "space_key": "s0",
            "access_grant_id": grant["access_grant_id"],
            "access_grant_key": "r",
            "search": "secret",
            "page_cursor": cursors["/spaces/list"],
            "said": "renamed",
            "portal_id": mine.link["portal_id"],
            "auth_token": mine.link["auth_token"],
        }
        pages = ["devices", "device", "bookings", "booking", "places", "place", "accounts", "", "\0", "x"]
        private = (b"secret guest", b"secret room", world.devices[0].encode(), b"jane@example.com")
        for at in pages:
            for name, value in right.items():
                for given in (value, *strange):
                    reply = await mine.open({"at": at, name: given})
                    assert reply.status < 500, (at, name, given, reply)
                reply = await other.open({"at": at, name: value})
                assert reply.status < 500 and not any(one in reply.body for one in private), (at, name, reply)


async def test_a_cursor_that_does_not_fit_begins_anew(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        spaces = [{"space_key": f"s{n:02}", "name": f"Room {n:02}"} for n in range(60)]
        person = await portal(world, data={"spaces": spaces})
        page = (await person.see("places")).body.decode()
        cursor = page.partition("page_cursor=")[2].partition('"')[0]
        assert "Room 49" in page and "Room 50" not in page
        page = (await person.see("places", page_cursor=cursor)).body.decode()
        assert "Room 50" in page and "Room 49" not in page
        for query in ({"page_cursor": "x"}, {"page_cursor": cursor, "search": "Room 0"}):
            reply = await person.see("places", **query)
            assert (reply.status, b"Room 00" in reply.body) == (200, True)
        for at in ("devices", "bookings", "accounts"):
            assert (await person.see(at, page_cursor=cursor)).status == 200
        # What is not there says so, and leads back.
        for query, status in (({}, 404), ({"device_id": "x"}, 404), ({"device_id": "x" * 200}, 400)):
            reply = await person.see("device", **query)
            assert (reply.status, b"Go to the first page" in reply.body) == (status, True)


# ---------------------------------------------------------------- what is typed wrongly


async def test_what_was_typed_is_shown_again_with_what_is_wrong(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await belongs_to(world, "hotel")
        person = await portal(world, data={"spaces": [{"space_key": "101", "name": "Room"}]})
        space_id = (await world.call("/spaces/get", space_key="101"))["space"]["space_id"]
        await world.call("/spaces/add_devices", space_id=space_id, device_ids=world.devices[:1])
        device = {"device_id": world.devices[0]}
        await world.call("/access_codes/create", **device, code="739152")
        place = {"space_id": space_id}
        over, late, later = "2020-01-01T10:00", "2090-01-01T10:00", "2090-01-02T10:00"
        long = "x" * 256
        for at, act, about, fields, sentence in (
            ("device", "make_code", device, {"name": "Jane <3", "code": "12"}, "takes codes of 4 to 8 digits."),
            ("device", "make_code", device, {"name": "Jane", "code": "abcd"}, "takes codes of 4 to 8 digits."),
            ("device", "make_code", device, {"name": "Jane", "code": "739152"}, "Another code of this door has these"),
            ("device", "make_code", device, {"name": " ", "code": "4711"}, "Type a name."),
            ("device", "make_code", device, {"name": long, "code": "4711"}, "At most 255 characters fit."),
            ("device", "make_code", device, {"name": "J", "starts_at": late}, "Say until when, too."),
            ("device", "make_code", device, {"name": "J", "ends_at": over}, "This time is over."),
            ("device", "make_code", device, {"name": "J", "ends_at": "soon"}, "Type a date and a time"),
            ("device", "rename_device", device, {"name": " "}, "Type a name."),
            ("device", "rename_device", device, {"name": long}, "At most 255 characters fit."),
            ("place", "book", place, {"name": "", "code": "4711"}, "Type the guest&#39;s name."),
            ("place", "book", place, {"name": "J", "code": "1234567890"}, "takes codes of 4 to 8 digits."),
            ("place", "book", place, {"name": "J", "starts_at": later, "ends_at": late}, "The end must be later"),
            ("place", "rename_place", place, {"name": ""}, "Type a name."),
            ("place", "put", place, {}, "Choose at least one door."),
            ("places", "make_place", {}, {"name": long}, "At most 255 characters fit."),
        ):
            reply = await person.send(at, act, about=about, **about, **fields)
            page = reply.body.decode()
            assert reply.status in (400, 409) and sentence in page, (act, fields, reply)
            assert "Something is missing or cannot be right. See the field" in page and "<title>Please check: " in page
            form = page.partition(f'name="act" value="{act}"')
            assert form[0].rpartition("<details")[2].startswith(' class="new" open>'), act
            for value in fields.values():
                assert not value.strip() or f'value="{escape(value)}"' in form[2], (act, value)
            assert page.count(" autofocus") == 1 and page.count('aria-invalid="true"') == (act != "put")
            assert "pattern" not in page and "starts_at and ends_at" not in page
        assert (await world.call("/access_grants/list"))["access_grants"] == []
        assert len((await world.call("/access_codes/list", **device))["access_codes"]) == 1
        assert len((await world.call("/spaces/list"))["spaces"]) == 1


async def test_without_a_beginning_it_begins_now(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        person = await portal(world)
        about = {"device_id": world.devices[0]}
        sent = await person.send("device", "make_code", about=about, **about, name="Jane", ends_at="2090-01-01T10:00")
        assert sent.status == 303, sent
        [code] = (await world.call("/access_codes/list", **about))["access_codes"]
        now = world.clock.now()
        assert code["type"] == "time_bound" and iso(now - 120_000) < code["starts_at"] <= iso(now)


async def test_codes_keep_what_the_doors_take(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await belongs_to(world, "hotel")
        person = await portal(world, data={"spaces": [{"space_key": "101", "name": "Room"}]})
        space_id = (await world.call("/spaces/get", space_key="101"))["space"]["space_id"]
        await world.call("/spaces/add_devices", space_id=space_id, device_ids=world.devices)
        for device_id, lengths in zip(world.devices, ([4, 6], [6, 8]), strict=True):
            path = "/access_codes/report_device_constraints"
            await world.call(path, device_id=device_id, supported_code_lengths=lengths)
        about = {"space_id": space_id}
        assert b"6 digits. Leave it empty" in (await person.see("place", **about)).body
        assert b"4 or 6 digits. Leave it empty" in (await person.see("device", device_id=world.devices[0])).body
        reply = await person.send("place", "book", about=about, **about, name="Jane", code="4711")
        assert (reply.status, b"The doors of this place take codes of 6 digits." in reply.body) == (400, True)
        other = {"device_id": world.devices[1], "supported_code_lengths": [8]}
        await world.call("/access_codes/report_device_constraints", **other)
        reply = await person.send("place", "book", about=about, **about, name="Jane")
        assert (reply.status, b"none fits all of them" in reply.body) == (400, True)
        reply = await person.send("place", "book", about=about, **about, name="Jane" * 80)
        assert reply.body.count(b'class="field-problem"') == 2


async def test_another_workspace_has_nothing_of_it(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await belongs_to(world, "hotel")
        other = await new_workspace(world, "Other")
        person = await portal(other)
        assert (await person.see("device", device_id=world.devices[0])).status == 404
        assert world.devices[0] not in (await person.see("devices")).body.decode()
