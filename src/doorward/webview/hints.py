"""What the page says about a brand beyond its forms. A brand adds its lines here."""

from dataclasses import dataclass

from doorward.providers.base import Provider


@dataclass(frozen=True)
class SandboxLogin:
    """How to log in to a brand's virtual devices."""

    account: str
    device: str = ""


SANDBOX_LOGINS = {
    "my_2n": SandboxLogin(
        account="Log in with jane@example.com and the password 1234.",
        device="Log in to each device as jane with the password 1234.",
    ),
}

ACCESS = {
    "can_remotely_unlock": "Unlock and lock your doors from a distance",
    "can_remotely_lock": "Unlock and lock your doors from a distance",
    "can_program_online_access_codes": "Set, change and remove the access codes it gives out",
}
"""Ability → what it means to an owner."""


def access_asked_for(brands: list[Provider]) -> list[str]:
    """What an owner is asked to allow, in words."""
    able = [text for brand in brands for ability in brand.abilities if (text := ACCESS.get(ability))]
    return [
        "See the devices you choose, and whether they are online",
        *dict.fromkeys(able),
        "See when your doors are locked, unlocked and opened",
    ]
