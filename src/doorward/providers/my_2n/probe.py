from dataclasses import dataclass

from doorward.providers.base import Offline, Refused

from .client import TwoNClient
from .transport import fetch_certificate_pin
from .troubles import AddressNotAllowed, DeviceTrouble, LoginRefused


@dataclass
class Found:
    url: str
    pin: str | None
    name: str
    model: str
    serial: str | None
    firmware: str | None = None


async def probe(address, *, allowed, timeout=5.0):
    urls = [address] if "://" in address else [f"https://{address}", f"http://{address}"]
    last = Offline("cannot be reached")
    for url in urls:
        try:
            base = url.split("://")[1]
            host, _, port = base.partition(":")
            pin = None
            if url.startswith("https"):
                try:
                    pin = await fetch_certificate_pin(host, int(port or 443), allowed=allowed, timeout=2)
                except (OSError, TimeoutError, ValueError) as e:
                    last = Offline(f"DOORWARD_DEVICE_NETWORKS {e}")
                    continue
            c = TwoNClient(url, "", "", pin=pin, allowed=allowed)
        except ValueError as e:
            raise Refused(str(e))
        try:
            i = await c.system_info()
            return Found(url, pin, i["deviceName"], i["variant"], i["serialNumber"])
        except LoginRefused:
            return Found(url, pin, "", "", None)
        except AddressNotAllowed:
            last = Offline("DOORWARD_DEVICE_NETWORKS")
        except DeviceTrouble as e:
            last = Offline(f"trouble {type(e)}")
        finally:
            await c.close()
    raise last
