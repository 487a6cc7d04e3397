"""The key of encrypted backups.

Backups are encrypted with age (X25519), a known format with a streaming authenticated cipher, which the `age` program
opens as well. The key is the password of an Airflow connection, so a secrets backend can hold it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyrage
from airflow.sdk.exceptions import AirflowNotFoundException

from xiaoe.connections import get_connection
from xiaoe.exceptions import XiaoeConfigError


class Key:
    """A secret key and its public half, the recipient that manifests name.

    Args:
        conn_id: Airflow connection whose password is the key, `AGE-SECRET-KEY-1…`.

    Raises:
        XiaoeConfigError: There is no such connection, or its password is not an age key.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        try:
            password = get_connection(conn_id).password or ""
        except AirflowNotFoundException:
            raise XiaoeConfigError(
                f"XIAOE_BACKUP_KEY_CONN_ID={conn_id!r}: there is no such Airflow connection: create one whose password"
                " is a key of `age-keygen` (docs/backup.md), or empty the setting to store backups unencrypted"
            ) from None
        try:
            self._identity = pyrage.x25519.Identity.from_str(password.strip())
        except pyrage.IdentityError:
            raise XiaoeConfigError(
                f"connection {conn_id}: its password (not shown) is not an age key: it must begin with"
                " AGE-SECRET-KEY-1; `age-keygen` makes one (docs/backup.md)"
            ) from None

    @property
    def recipient(self) -> str:
        """The public half; not a secret."""
        return str(self._identity.to_public())

    def encrypt(self, chunks: Iterator[bytes], file: Any) -> None:
        """Encrypt the chunks into a file; errors of `chunks` or `file` are raised unchanged."""
        source, target = _Source(chunks), _Target(file)
        try:
            pyrage.encrypt_io(source, target, [self._identity.to_public()])
        except pyrage.EncryptError as error:
            raise source.error or target.error or error from None

    def decrypt(self, source: BinaryIO, target: BinaryIO) -> None:
        """Decrypt a file.

        Raises:
            XiaoeConfigError: It was encrypted for another key.
        """
        try:
            pyrage.decrypt_io(source, target, [self._identity])
        except pyrage.DecryptError:
            raise XiaoeConfigError(
                f"connection {self.conn_id}: the backup was encrypted for another key: set the key of that time there"
            ) from None


class _Source(io.RawIOBase):
    """Chunks as a file; keeps an error that pyrage would reduce to text."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Target(io.RawIOBase):
    """A file that keeps a write error, for the same reason."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            self._file.write(bytes(data))
        except BaseException as error:
            self.error = error
            raise
        return len(data)
