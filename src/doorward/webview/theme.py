"""A workspace's own colours and words on the page. What is not valid is passed over: the page must stay readable."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
MOST_MESSAGE = 1000
READABLE = 4.5
"""Contrast that WCAG asks of text (AA)."""


@dataclass(frozen=True)
class Theme:
    """What a workspace has set, checked. None: our own."""

    logo_shape: str = "circle"
    colours: str | None = None
    """Name of the style sheet: button and its text, `0055aa-ffffff`."""
    success_message: str | None = None


def theme_of(customization_json: str) -> Theme:
    """Read a workspace's customization."""
    try:
        given = msgspec.json.decode(customization_json)
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        return Theme()
    message = given.get("success_message")
    return Theme(
        logo_shape="square" if given.get("logo_shape") == "square" else "circle",
        colours=_colours(_hex(given.get("primary_button_color")), _hex(given.get("primary_button_text_color"))),
        success_message=message.strip()[:MOST_MESSAGE] or None if isinstance(message, str) else None,
    )


def style_sheet(colours: str) -> str | None:
    """The style sheet of that name; None: there is none."""
    match = re.fullmatch(r"([0-9a-f]{6})-([0-9a-f]{6})", colours)
    if match is None:
        return None
    button, text = match.groups()
    return f":root {{ --button: #{button}; --button-text: #{text}; --button-hover: #{button}; }}\n"


def _colours(button: str | None, text: str | None) -> str | None:
    if button is None:
        return None
    if text is None or contrast(button, text) < READABLE:
        text = max("ffffff", "000000", key=lambda colour: contrast(button, colour))
    return f"{button}-{text}"


def _hex(value: Any) -> str | None:
    match = _HEX.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    digits = match[1].lower()
    return digits if len(digits) == 6 else "".join(d * 2 for d in digits)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour[:2]) + 0.7152 * linear(colour[2:4]) + 0.0722 * linear(colour[4:])
