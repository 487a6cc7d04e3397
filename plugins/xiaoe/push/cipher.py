"""Signature and encryption of a push (docs/xiaoe-api.md section 8). Pure: no clock, no setting."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_CHARACTERS = 43
"""Length of an `aeskey`; with a `=` it is the base64 of 32 bytes [doc]."""
_BLOCK = 16
_RANDOM = 16
_LENGTH = 4
_LONGEST_PADDING = 32
"""WeChat's scheme pads to 32 bytes, AES itself to 16: which one is meant is not documented, so both are read."""


class CipherError(ValueError):
    """A text that this key does not decrypt; says what is wrong with it, never what is in it."""


def key_of(aeskey: str) -> bytes:
    """The 32 bytes of an `aeskey`.

    Raises:
        ValueError: It is not the base64 of 32 bytes; the message does not contain it.
    """
    try:
        key = base64.b64decode(aeskey + "=", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(aeskey) != KEY_CHARACTERS or len(key) != 32:
        raise ValueError(
            f"has {len(aeskey)} characters (secret: not shown), {KEY_CHARACTERS} letters and digits are needed"
        )
    return key


def signature_of(*parts: str) -> str:
    """The SHA-1 of the sorted, joined parts, in hex: token, timestamp, nonce and what is signed [doc]."""
    return hashlib.sha1("".join(sorted(parts)).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def is_signed(signature: str, parts: Sequence[str]) -> bool:
    """Whether a signature is that of its parts; takes the same time wherever the two differ."""
    given = signature.strip().lower().encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, signature_of(*parts).encode())


def decrypt(key: bytes, encrypted: str) -> bytes:
    """The message in an encrypted text.

    The plain text is 16 random bytes, the message's length in 4 bytes (big-endian), the message [doc]; what WeChat's
    scheme puts behind it, the receiver's id, is left out.

    Args:
        key: 32 bytes; its first 16 are the initialisation vector.
        encrypted: Base64.

    Raises:
        CipherError: The text is damaged, or the key is another one.
    """
    try:
        secret = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError):
        raise CipherError("it is no base64") from None
    if not secret or len(secret) % _BLOCK:
        raise CipherError(f"its {len(secret)} bytes are no whole blocks of {_BLOCK}")
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:_BLOCK])).decryptor()
    plain = decryptor.update(secret) + decryptor.finalize()
    padding = plain[-1]
    if not 1 <= padding <= _LONGEST_PADDING or plain[-padding:] != bytes([padding]) * padding:
        raise CipherError("its padding is wrong: the key is another one")
    begin = _RANDOM + _LENGTH
    length = int.from_bytes(plain[_RANDOM:begin], "big")
    if begin + length > len(plain) - padding:
        raise CipherError("its length is wrong: the key is another one")
    return plain[begin : begin + length]
