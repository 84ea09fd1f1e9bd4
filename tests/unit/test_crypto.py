"""Secrets at rest."""

import base64
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.crypto import Vault, VaultError, load_master

vault = Vault(b"k" * 32)


@given(st.text(max_size=200))
def test_what_is_sealed_can_be_opened(text: str) -> None:
    assert vault.open(vault.seal(text, "a PIN"), "a PIN") == text


def test_the_same_text_is_never_sealed_the_same_way() -> None:
    assert vault.seal("1234", "a PIN") != vault.seal("1234", "a PIN")


def test_sealed_text_opens_only_for_its_purpose_and_key() -> None:
    sealed = vault.seal("1234", "a PIN")
    for other, purpose in ((vault, "a login"), (Vault(b"x" * 32), "a PIN")):
        with pytest.raises(VaultError) as info:
            other.open(sealed, purpose)
        assert "1234" not in str(info.value)


@pytest.mark.parametrize("text", ["", "1.", "1.!!!", "2.AAAA", "1." + "A" * 40, "é"])
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(VaultError):
        vault.open(text, "a PIN")


@given(st.integers(0, 200), st.integers(1, 255))
def test_no_changed_byte_goes_unseen(place: int, flip: int) -> None:
    raw = bytearray(base64.b64decode(vault.seal("a long enough secret", "a PIN")[2:]))
    raw[place % len(raw)] ^= flip
    with pytest.raises(VaultError):
        vault.open("1." + base64.b64encode(raw).decode(), "a PIN")


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: "1." + base64.b64encode(raw).decode()))
def test_no_text_raises_anything_but_vault_error(text: str) -> None:
    with pytest.raises(VaultError):
        vault.open(text, "a PIN")


def test_values_are_sealed_as_json() -> None:
    value = {"username": "jane", "ports": [1, 2], "more": None}
    assert vault.open_json(vault.seal_json(value, "a login"), "a login") == value


def test_keyed_hashes_find_equals_and_keep_parts_apart() -> None:
    assert vault.digest("pin", "w", "1234") == vault.digest("pin", "w", "1234")
    assert vault.digest("pin", "w1", "234") != vault.digest("pin", "w", "1234")
    assert vault.digest("pin", "w", "1234") != Vault(b"x" * 32).digest("pin", "w", "1234")


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    made: set[bytes] = set()
    threads = [threading.Thread(target=lambda: made.add(load_master(tmp_path, None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("not hexadecimal")
    with pytest.raises(VaultError, match="backup"):
        load_master(tmp_path, None)
    assert (tmp_path / "secret.key").read_text() == "not hexadecimal"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(VaultError, match="too short"):
        Vault(load_master(Path("/nowhere"), "short"))


@pytest.mark.parametrize("text", ["", "abcd"])
def test_a_key_file_that_is_too_short_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text(text)
    with pytest.raises(VaultError, match="too short"):
        Vault(load_master(tmp_path, None))


def test_a_given_key_needs_no_file(tmp_path: Path) -> None:
    assert load_master(tmp_path, "a key of at least 16 characters") == load_master(
        tmp_path, "a key of at least 16 characters"
    )
    assert list(tmp_path.iterdir()) == []
