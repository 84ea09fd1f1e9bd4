"""Real intercoms, reached at their own address in the owner's network: no cloud, no account of 2N.

The owner types addresses (or picks what was found), then an HTTP API account for each device. A device is known by its
serial number, so a new address or a new password heals the device that was there. Over TLS the certificate that was
shown is pinned: another one later must be confirmed by a person. Nothing is stored here.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from doorward.networks import Networks, Ranges
from doorward.providers.base import (
    AccountLogin,
    DeviceLogin,
    Field,
    Known,
    LoginForm,
    OfferedDevice,
)
from doorward.providers.errors import (
    AskAgain,
    ProviderError,
    Refused,
    Unsupported,
)

from .checkup import WRONG_LOGIN, Checked, check
from .client import TwoNClient
from .probe import Found, probe
from .troubles import DeviceTrouble, LoginNeeded, LoginRefused, PasswordAsked, PrivilegeMissing, outward
from .tunnel import Tunnel

MOST_ADDRESSES: Final = 50
AT_ONCE: Final = 8
"""Addresses that are tried at the same time."""
TIMEOUT_S: Final = 8.0
"""For one address."""
CONNECTED: Final = "Already connected"
THROUGH: Final = "my2n:"
"""Before a device's id, in place of an address: it is behind the gateway of My2N."""
NO_TUNNEL: Final = (
    "This server has no way through My2N. Whoever runs it names one in DOORWARD_MY2N_RAA_URL and "
    "DOORWARD_MY2N_RAA_HEADER."
)
PLAIN: Final = (
    "Not encrypted: whoever is in the network can read PINs. Better turn on HTTPS on the device, and connect it again."
)
_CHANGED: Final = (
    "This intercom shows another certificate than when it was connected. If it was reset or was given a new "
    "certificate, confirm that below. If not, something else may be answering at its address: do not go on."
)

_STRANGE: Final = (
    "Something asks for a login at this address, but it does not say that it is a 2N. Check the address before you "
    "type a password."
)
_HANDS_OVER: Final = (
    "What answers at this address does not say that it is a 2N, and asks for the password itself. Nothing was sent to "
    "it yet. If it is another device, it would learn the password. If you are sure that it is your intercom, confirm "
    "that below; better set its services to Digest, under Services / HTTP API / Services, and try again."
)

ADDRESSES: Final = LoginForm(
    title="Connect your intercoms",
    intro="By their address in your network. Nothing goes through a cloud.",
    fields=(
        Field(
            "addresses",
            "Addresses of the intercoms",
            kind="lines",
            hint="One on each line, such as 192.168.1.20 or https://intercom.local:8443.",
        ),
        Field(
            "site",
            "Name of this site",
            hint="For your own order, such as Main Street 5. Use the same name again to add intercoms later.",
            is_required=False,
        ),
    ),
    button="Continue",
    busy="Looking for your intercoms…",
    finds="addresses",
)
DEVICE: Final = LoginForm(
    title="Log in to this intercom",
    intro="With an account of its HTTP API: on the device under Services / HTTP API / Account. It needs the services "
    "System, Switch, I/O and Logging, and their Monitoring and Control boxes ticked.",
    fields=(
        Field("username", "User name"),
        Field("password", "Password", kind="password"),
        Field(
            "switch",
            "Switch that opens the door",
            kind="select",
            hint="On the device under Hardware / Switches. For most doors it is switch 1.",
            options=tuple((str(n), f"Switch {n}") for n in (1, 2, 3, 4)),
        ),
        Field("trust", "I know why its certificate has changed: trust the new one", kind="confirm"),
        Field("stranger", "This is my intercom: tell it the password", kind="confirm"),
    ),
)


class Direct:
    """Logins of real intercoms. `ranges`: addresses that a search may try, None: none. `interfaces`: addresses of the
    interfaces on which it listens to announcements, None: all. `tunnel`: a gateway that devices may be behind."""

    def __init__(
        self,
        networks: Networks,
        ranges: Ranges | None = None,
        *,
        interfaces: Sequence[str] | None = None,
        tunnel: Tunnel | None = None,
    ) -> None:
        self._networks = networks
        self._ranges = ranges
        self._interfaces = interfaces
        self._tunnel = tunnel

    async def discover(self, known: Known) -> list[OfferedDevice]:
        """As `base.Discovers.discover`."""
        from .discovery import discover  # with its mDNS library: rarely wanted, so not at every start

        found = await discover(self._ranges, allowed=self._networks.allows, interfaces=self._interfaces)
        urls = {secret.get("url") for secret in known.values()}
        return [
            OfferedDevice(
                one.url,
                one.name,
                # One that tells its serial number is known by it: another may have its address now.
                _detail(
                    CONNECTED if (one.serial in known if one.serial else one.url in urls) else None,
                    one.model,
                    one.serial,
                    one.url,
                ),
            )
            for one in found
        ]

    async def log_in(self, values: Mapping[str, str]) -> AccountLogin:
        """Look who answers at the addresses. What answers is kept, what does not is told.

        Raises: Refused when nothing does.
        """
        addresses = _addresses(values.get("addresses", ""))
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(address: str) -> OfferedDevice | ProviderError:
            async with room:
                try:
                    if address.startswith(THROUGH):
                        return await self._behind_tunnel(address.removeprefix(THROUGH))
                    return _offered(await probe(address, allowed=self._networks.allows, timeout=TIMEOUT_S))
                except ProviderError as exc:
                    return exc

        answers = await asyncio.gather(*(ask(address) for address in addresses))
        offered: dict[str, OfferedDevice] = {}
        wrong: list[str] = []
        for address, answer in zip(addresses, answers, strict=True):
            if isinstance(answer, ProviderError):
                wrong.append(f"{address}: {answer.message}")
            else:
                offered.setdefault(answer.ref, answer)
        if not offered:
            trouble = Refused(wrong[0])
            trouble.more = tuple(wrong[1:])
            raise trouble
        site = " ".join(values.get("site", "").split())
        return AccountLogin(
            identity={"username": site} if site else {},
            display_name=site,
            secret={},
            devices=tuple(offered.values()),
            notes=tuple(wrong),
            is_direct=True,
        )

    async def _behind_tunnel(self, device: str) -> OfferedDevice:
        """Whether the gateway lets us through to a device. Raises ProviderError."""
        client = self.client({"my2n": device, "username": "", "password": ""})
        try:
            info = await client.system_info()
        except (LoginRefused, LoginNeeded, PrivilegeMissing):
            info = {}
        except DeviceTrouble as trouble:
            raise outward(trouble) from trouble
        finally:
            await client.close()
        texts = (info.get(key) for key in ("serialNumber", "variant"))
        serial, model = (text if isinstance(text, str) else "" for text in texts)
        return OfferedDevice(
            ref=serial or f"{THROUGH}{device}",
            name=model or f"Intercom {device}",
            detail=_detail(serial, "through My2N"),
            facts=(("Connection", "Through My2N Remote API Access"),),
            is_kept_without_login=False,
            reach={"my2n": device},
        )

    async def log_in_device(
        self, account: AccountLogin, ref: str, values: Mapping[str, str], known: Known
    ) -> DeviceLogin:
        """Check the login of one intercom. Raises: as `base.Provider.log_in_device`."""
        offered = next((device for device in account.devices if device.ref == ref), None)
        if offered is None:
            raise Unsupported("This intercom was not found at any of the addresses.")
        pin = offered.reach.get("pin") or None
        where = (
            {"my2n": offered.reach["my2n"]} if "my2n" in offered.reach else {"url": offered.reach["url"], "pin": pin}
        )
        is_trusted = values.get("trust") == "yes"
        if not is_trusted:
            _must_be_the_same(known.get(ref), pin)
        secret: dict[str, Any] = {
            **where,
            "username": values.get("username", "").strip(),
            "password": values.get("password", ""),
            "switch": int(values.get("switch") or 1),
        }
        is_stranger = "strange" in offered.reach and values.get("stranger") != "yes"
        client = self.client(secret, is_stranger=is_stranger)
        try:
            checked = await check(client, secret["switch"], wrong_login=WRONG_LOGIN)
        except PasswordAsked:
            raise AskAgain(_HANDS_OVER, "stranger") from None
        finally:
            await client.close()
        if not is_trusted:
            _must_be_the_same(known.get(checked.serial), pin)
        return DeviceLogin(secret=secret, device=_recognized(checked, offered), notes=checked.notes)

    def client(self, secret: Mapping[str, Any], *, is_stranger: bool = False) -> TwoNClient:
        """The client of a device whose secret says where it is. `is_stranger`: as in `TwoNClient`.

        Raises: Unsupported.
        """
        login = str(secret["username"]), str(secret["password"])
        try:
            if "my2n" not in secret:
                allowed = self._networks.allows
                return TwoNClient(
                    str(secret["url"]), *login, pin=secret.get("pin"), allowed=allowed, is_stranger=is_stranger
                )
            if self._tunnel is None:
                raise Unsupported(NO_TUNNEL)
            return TwoNClient(self._tunnel.base_of(str(secret["my2n"])), *login, tunnel=self._tunnel)
        except ValueError as exc:
            raise Unsupported(str(exc)) from exc


def _addresses(text: str) -> list[str]:
    """What was typed, one address a line; people also write commas and spaces. Raises Refused."""
    addresses = list(dict.fromkeys(part for part in re.split(r"[\s,;]+", text) if part))
    if not addresses:
        raise Refused("Type at least one address.")
    if len(addresses) > MOST_ADDRESSES:
        raise Refused(f"These are {len(addresses)} addresses. Connect at most {MOST_ADDRESSES} at once.")
    return addresses


def _must_be_the_same(known: Mapping[str, Any] | None, pin: str | None) -> None:
    """Raises AskAgain when the device was connected with another certificate, or with one at all."""
    if known is not None and known.get("pin") and known["pin"] != pin:
        raise AskAgain(_CHANGED, "trust")


def _offered(found: Found) -> OfferedDevice:
    host = urlsplit(found.url).netloc
    facts, reach = _facts(found.url, found.pin), {"url": found.url, "pin": found.pin or ""}
    return OfferedDevice(
        ref=found.serial or found.url,
        name=found.name or f"Intercom at {host}",
        detail=_detail(found.model if found.is_sure else "not recognized as a 2N", found.serial, host),
        facts=facts if found.is_sure else (("Not recognized", _STRANGE), *facts),
        is_kept_without_login=False,
        reach=reach if found.is_sure else {**reach, "strange": "yes"},
        stands_at=(found.address,),
    )


def _recognized(checked: Checked, offered: OfferedDevice) -> OfferedDevice:
    """Who it is, now that it told."""
    reach = {name: value for name, value in offered.reach.items() if name != "strange"}
    host = urlsplit(reach["url"]).netloc if "url" in reach else "through My2N"
    return OfferedDevice(
        ref=checked.serial,
        name=checked.name,
        detail=_detail(checked.model, checked.serial, host),
        facts=_facts(reach["url"], reach.get("pin") or None) if "url" in reach else offered.facts,
        is_kept_without_login=False,
        reach=reach,
    )


def _detail(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _facts(url: str, pin: str | None) -> tuple[tuple[str, str], ...]:
    """What its owner should see before typing a password."""
    if pin is None:
        return (("Address", url), ("Connection", PLAIN))
    pairs = re.findall("..", pin.upper())
    return (("Address", url), ("Certificate, SHA-256. Trusted from now on, and no other", " ".join(pairs)))
