"""Secrets at rest."""

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
