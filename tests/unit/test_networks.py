"""The allow-list of device networks, and the ranges that are searched."""

from ipaddress import ip_address

import pytest

from doorward.config import Config
from doorward.networks import DEVICE_NETWORKS, Networks, Ranges, Target


def allows(setting: str, address: str) -> bool:
    return Networks.parse(setting).allows(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "10.255.255.254",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.0.1",
        "127.0.0.1",
        "::1",
        "fd12:3456::1",
        "::ffff:192.168.1.1",
    ],
)
def test_private_networks_and_this_machine_are_allowed_by_default(address: str) -> None:
    assert allows(DEVICE_NETWORKS, address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.1",
        "192.167.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "169.254.169.254",
        "fe80::1",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "::",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
        "fd00:ec2::254",
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not allows(DEVICE_NETWORKS, address)


EVERYTHING = "0.0.0.0/0, ::/0"
EACH_BY_NAME = "0.0.0.0/8 :: 224.0.0.0/4 ff00::/8 255.255.255.255 169.254.169.254 169.254.0.0/16 fd00:ec2::254 fd00::/8"


@pytest.mark.parametrize("setting", [EVERYTHING, EACH_BY_NAME])
@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "fd00:ec2::254",
    ],
)
def test_some_addresses_are_never_allowed(setting: str, address: str) -> None:
    assert not allows(setting, address)


def test_everything_covers_public_addresses() -> None:
    assert allows(EVERYTHING, "203.0.113.7") and allows(EVERYTHING, "2001:db8::7")


@pytest.mark.parametrize(
    ("setting", "address", "answer"),
    [
        (EVERYTHING, "169.254.1.1", False),
        (EVERYTHING, "fe80::1", False),
        ("168.0.0.0/6", "169.254.1.1", False),
        ("169.254.0.0/16", "169.254.1.1", True),
        ("169.254.1.1", "169.254.1.1", True),
        ("fe80::/64", "fe80::1", True),
        ("fe80::/64", "fe80::1%eth0", True),
        ("fe80::/64", "fe81::1", False),
    ],
)
def test_link_local_addresses_want_to_be_named(setting: str, address: str, answer: bool) -> None:
    assert allows(setting, address) is answer


def test_networks_are_parsed_between_commas_and_spaces() -> None:
    networks = Networks.parse(" 10.0.0.0/8,192.168.1.7\n fd00::/8 ,, ::ffff:172.16.0.0/108 ")
    assert str(networks) == "10.0.0.0/8, 192.168.1.7/32, fd00::/8, 172.16.0.0/12"
    assert networks.allows(ip_address("172.31.0.1"))
    assert not networks.allows(ip_address("192.168.1.8"))


def test_nothing_named_allows_nothing() -> None:
    assert not allows(" , ", "127.0.0.1")


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("10.0.0.0/8, nonsense", "“nonsense”"),
        ("10.0.0.0/33", "“10.0.0.0/33”"),
        ("10.0.0.1-10.0.0.9", "“10.0.0.1-10.0.0.9”"),
        ("192.168.1.7/24", "write 192.168.1.0/24 or the address alone"),
        ("010.0.0.0/8", "“010.0.0.0/8”"),
        ("*", "“*”"),
    ],
)
def test_a_bad_network_is_named(setting: str, part: str) -> None:
    with pytest.raises(ValueError) as caught:
        Networks.parse(setting)
    assert part in str(caught.value) and str(caught.value).endswith(".")


# ---------------------------------------------------------------- ranges


def targets(text: str) -> list[tuple[str, int | None]]:
    ranges = Ranges.parse(text)
    return [(str(target.address), target.port) for target in ranges]


def test_ranges_of_every_kind() -> None:
    assert targets("192.168.1.0/30, 10.0.0.10 - 10.0.0.12 10.0.0.20-21,192.168.1.7:8443, 127.0.0.1:8100-8102") == [
        ("192.168.1.1", None),
        ("192.168.1.2", None),
        ("10.0.0.10", None),
        ("10.0.0.11", None),
        ("10.0.0.12", None),
        ("10.0.0.20", None),
        ("10.0.0.21", None),
        ("192.168.1.7", 8443),
        ("127.0.0.1", 8100),
        ("127.0.0.1", 8101),
        ("127.0.0.1", 8102),
    ]


def test_ranges_of_ipv6_and_networks_with_ports() -> None:
    assert targets("fd00::1 fd00::10-fd00::11 [fd00::20]:8443 [fd00::30/127]:80-81 10.0.0.0/31:8080") == [
        ("fd00::1", None),
        ("fd00::10", None),
        ("fd00::11", None),
        ("fd00::20", 8443),
        ("fd00::30", 80),
        ("fd00::30", 81),
        ("fd00::31", 80),
        ("fd00::31", 81),
        ("10.0.0.0", 8080),
        ("10.0.0.1", 8080),
    ]


def test_no_target_comes_twice() -> None:
    assert targets("10.0.0.1-10.0.0.3 10.0.0.2/32 ::ffff:10.0.0.3") == [
        ("10.0.0.1", None),
        ("10.0.0.2", None),
        ("10.0.0.3", None),
    ]
    assert next(iter(Ranges.parse("10.0.0.1"))) == Target(ip_address("10.0.0.1"))


def test_a_range_has_its_bound() -> None:
    assert len(Ranges.parse("10.0.0.0/20")) == 4094
    assert len(list(Ranges.parse("127.0.0.1:1-4096"))) == 4096
    for text in ("10.0.0.0/19", "10.0.0.0/20, 10.1.0.1-10.1.0.3", "127.0.0.1:1-4097", "fd00::/8", "::/0", "0.0.0.0/0"):
        with pytest.raises(ValueError, match="more than 4,096 places"):
            Ranges.parse(text)


@pytest.mark.parametrize(
    "part",
    [
        "door.local",
        "10.0.0.300",
        "10.0.0.9-10.0.0.1",
        "10.0.0.1-fd00::1",
        "10.0.0.1:0",
        "10.0.0.1:70000",
        "10.0.0.1:90-80",
        "10.0.0.1:",
        "10.0.0.1:-5",
        "10.0.0.0/33",
        "fe80::1%eth0",
        "[10.0.0.1",
        "https://10.0.0.1",
        "2130706433",
        "10.0.0.1-",
        "٣.0.0.1",
    ],
)
def test_a_bad_range_is_named(part: str) -> None:
    with pytest.raises(ValueError) as caught:
        Ranges.parse(f"10.0.0.1, {part}")
    assert part in str(caught.value) and "like 192.168.1.0/24" in str(caught.value)


@pytest.mark.parametrize("name", ["device_networks", "device_discovery"])
def test_a_setting_that_makes_no_sense_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        Config.model_validate({name: "somewhere"})
