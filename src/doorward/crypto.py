"""Secrets at rest.

One master key, from the environment, a file, or made on first start (mode 0600, in the data directory). From it
come a key that encrypts (AES-256-GCM) and one that hashes. Sealed text is `1.` + base64 of nonce and ciphertext and is
bound to what it is for: a device's password moved into another column does not open.

Losing the key loses the stored logins and PINs; nothing else can open them.
"""

import base64
import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class VaultError(Exception):
    """The master key does not open what is stored."""


class Vault:
    """Seals, opens and hashes under one master key."""

    def __init__(self, master: bytes) -> None:
        if len(master) < 16:
            raise VaultError("The secret key is too short: it needs at least 16 bytes (32 are usual).")
        self._box = AESGCM(self._derive(master, b"seal"))
        self._mac = self._derive(master, b"hash")

    @staticmethod
    def _derive(master: bytes, purpose: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"doorward/" + purpose).derive(master)

    def seal(self, text: str, purpose: str) -> str:
        """Encrypt. `purpose` must be given again to open it."""
        nonce = os.urandom(12)
        return "1." + base64.b64encode(nonce + self._box.encrypt(nonce, text.encode(), purpose.encode())).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """Raises VaultError when it was sealed under another key or for another purpose."""
        try:
            version, _, data = sealed.partition(".")
            raw = base64.b64decode(data)
            if version != "1":
                raise ValueError(version)
            return self._box.decrypt(raw[:12], raw[12:], purpose.encode()).decode()
        except (ValueError, InvalidTag):
            raise VaultError(
                f"Stored {purpose} cannot be opened with this secret key. Was the data directory's secret.key replaced?"
            ) from None

    def seal_json(self, value: Any, purpose: str) -> str:
        return self.seal(msgspec.json.encode(value).decode(), purpose)

    def open_json(self, sealed: str, purpose: str) -> Any:
        return msgspec.json.decode(self.open(sealed, purpose))

    def digest(self, purpose: str, *parts: str) -> str:
        """A keyed hash: equal for equal parts, meaningless to whoever lacks the key."""
        message = "\0".join((purpose, *parts)).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._mac, message, hashlib.sha256)[:18]).decode()


def load_master(data_dir: Path, given: str | None) -> bytes:
    """The master key: `given` (any text, hashed), else the data directory's `secret.key`, made when missing."""
    if given:
        return hashlib.sha256(given.encode()).digest() if len(given) >= 16 else given.encode()
    path = data_dir / "secret.key"
    try:
        return bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        pass
    except ValueError:
        raise VaultError(f"{path} is not a secret key (hexadecimal text). Restore it from a backup.") from None
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole under another name and linked: two processes starting at once agree on one key.
    temporary = path.with_suffix(f".{os.urandom(6).hex()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(os.urandom(32).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
