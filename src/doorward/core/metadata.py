"""Custom metadata: callers' own pairs on devices, accounts and webviews, as they are stored."""

from collections.abc import Mapping
from typing import Any

import msgspec

from doorward.errors import InvalidInput

MOST_PAIRS = 50
"""Of one thing."""


def kept(given: Mapping[str, Any]) -> str:
    """What stays of pairs: null and the empty text are no values. Raises InvalidInput when it is too many."""
    pairs = {key: value for key, value in given.items() if value is not None and value != ""}
    if len(pairs) > MOST_PAIRS:
        raise InvalidInput.of("custom_metadata", f"At most {MOST_PAIRS} pairs are allowed")
    return msgspec.json.encode(pairs).decode()


def merged(metadata_json: str, given: Mapping[str, Any]) -> str:
    """Pairs with others added; null or an empty text removes one. Raises InvalidInput when it is too many."""
    return kept({**msgspec.json.decode(metadata_json), **given})
