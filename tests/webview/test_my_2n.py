"""The public guide's login, with the real brand and its virtual intercoms."""

from pathlib import Path

from doorward.clock import Clock
from doorward.core.webviews import Order
from doorward.crypto import Vault
from doorward.providers.my_2n.provider import MyTwoN
from doorward.store.twins import Twins
from doorward.webview.hints import SANDBOX_LOGINS

from .owner import Owner, visitor
from .server import devices, make_webview, open_core, open_database, reread


async def test_the_guides_login_connects_three_virtual_intercoms(tmp_path: Path) -> None:
    clock = Clock()
    async with open_database(tmp_path, clock) as db:
        brand = MyTwoN(Twins(db, Vault(b"k" * 32)), clock)
        try:
            async with open_core(tmp_path, brand, clock=clock, db=db) as core, visitor(core) as client:
                row, url = await make_webview(core, Order(accepted_providers=["my_2n"]))
                owner = Owner(client, url, row)
                await owner.open()
                page = await owner.to_account()
                assert SANDBOX_LOGINS["my_2n"].account in page.text
                await owner.press("Log in and continue", email="jane@elsewhere.test", password="1234")
                assert owner.page.alert
                await owner.press("Log in and continue", email="jane@example.com", password="1234")
                page = await owner.press("Continue", device=[v for _, v in owner.page.forms[0].choices])
                assert SANDBOX_LOGINS["my_2n"].device in page.text
                page = await owner.log_in("wrong")
                assert page.alert and "Device 1 of 3" in page.text
                await owner.log_in()
                page = await owner.log_in(same_login="yes")
                assert "Your devices are connected" in page.text
                assert (await reread(core, row)).status == "authorized"
                found = await devices(core)
                assert [name for name, _, _ in found] == ["Device 0", "Device 1", "Device 2"]
                assert [online for _, online, _ in found] == [1, 1, 1]
        finally:
            await brand.close()
