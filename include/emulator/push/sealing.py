"""Encrypts and signs a message; written from the documentation, not from the receiver's code."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from base64 import b64decode, b64encode
from typing import NamedTuple
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

FORMS = ("json", "form", "query", "xml")
"""How the four values may travel; the documentation does not say."""


class Secrets(NamedTuple):
    """What shop and receiver share: `token` signs, `aeskey` (43 characters) encrypts."""

    token: str
    aeskey: str


class Sealed(NamedTuple):
    """A request: query string, content type and body."""

    query: str
    content_type: str
    body: bytes


def encrypt(text: bytes, aeskey: str, *, block: int = 32, tail: bytes = b"") -> str:
    """The encrypted text, base64.

    Args:
        text: The message.
        aeskey: 43 characters.
        block: What padding fills up to: 32 as in WeChat's scheme, 16 as AES needs.
        tail: What stands behind the message; WeChat's scheme has the receiver's id there.
    """
    key = b64decode(aeskey + "=")
    plain = os.urandom(16) + struct.pack(">I", len(text)) + text + tail
    padder = PKCS7(8 * block).padder()
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    return b64encode(encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()).decode()


def sign(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """The signature, in hex."""
    joined = "".join(sorted([token, timestamp, nonce, encrypted]))
    return hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324 - as documented


def seal(text: bytes, secrets: Secrets, timestamp: int, *, form: str = "json") -> Sealed:
    """A message as a request.

    Args:
        text: The message.
        secrets: Of the shop.
        timestamp: Unix seconds.
        form: One of `FORMS`.
    """
    encrypted, nonce = encrypt(text, secrets.aeskey), os.urandom(6).hex()
    values = {
        "signature": sign(secrets.token, str(timestamp), nonce, encrypted),
        "timestamp": str(timestamp),
        "nonce": nonce,
    }
    if form == "json":
        return Sealed("", "application/json", json.dumps({"encrypt": encrypted, **values}).encode())
    if form == "form":
        return Sealed("", "application/x-www-form-urlencoded", urlencode({"encrypt": encrypted, **values}).encode())
    query = urlencode(values)
    if form == "xml":
        return Sealed(query, "text/xml", f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode())
    return Sealed(query, "application/json", json.dumps({"encrypt": encrypted}).encode())
