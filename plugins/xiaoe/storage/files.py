"""Files on a disk or in a bucket: written whole or not at all, errors with advice.

A path is a `pathlib.Path` or an `ObjectStoragePath`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from xiaoe.exceptions import XiaoeConfigError, XiaoeError, XiaoeRetriableError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


@dataclass(frozen=True)
class DiskAdvice:
    """What to raise for a disk error: class and message; messages may contain `{place}` and `{reason}`.

    Args:
        full: The disk or the quota is full.
        forbidden: The workers' user may not use the place.
        other: Any other error; None leaves it unchanged.
    """

    full: tuple[type[XiaoeError], str]
    forbidden: tuple[type[XiaoeError], str]
    other: tuple[type[XiaoeError], str] | None = None

    def explain(self, place: Any, error: OSError) -> XiaoeError | None:
        """The error to raise instead; None to keep the original."""
        if error.errno in _FULL:
            kind, text = self.full
        elif error.errno in _FORBIDDEN:
            kind, text = self.forbidden
        elif self.other:
            kind, text = self.other
        else:
            return None
        return kind(text.format(place=place, reason=error.strerror or str(error)))


PAGES = DiskAdvice(
    full=(
        XiaoeRetriableError,
        "{place} could not be written ({reason}): free some space there; nothing is lost, trying again later",
    ),
    forbidden=(
        XiaoeConfigError,
        "{place} could not be used ({reason}): the workers' user has to be able to read and write there: correct its"
        " rights, or the setting that names the place (XIAOE_PAGE_STORE, XIAOE_EXPORT_DIR)",
    ),
)


@contextmanager
def explained(place: Any, advice: DiskAdvice = PAGES) -> Iterator[None]:
    """Replace disk errors that a person can fix by ones that name the fix.

    Args:
        place: The file or folder that is used.
        advice: What to raise.

    Raises:
        XiaoeError: According to `advice`.
    """
    try:
        yield
    except OSError as error:
        explained_error = advice.explain(place, error)
        if explained_error is None:
            raise
        raise explained_error from None


def is_local(path: Any) -> bool:
    """Whether a path is on a disk."""
    return getattr(path, "protocol", "") in ("", "file", "local")


def local_name(path: Any) -> str:
    """The operating system's path of a local file."""
    return os.fspath(getattr(path, "path", path))


@contextmanager
def whole_file(path: Any) -> Iterator[Any]:
    """A file to write: renamed to its name once it is whole and flushed, removed if writing fails.

    In a bucket a put is atomic; the caller has to recognize what an interrupted upload leaves there.
    """
    if not is_local(path):
        with path.open("wb") as file:
            yield file
        return
    target = local_name(path)
    temporary = f"{target}.{os.getpid()}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def write_whole(path: Any, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        XiaoeConfigError: The workers' user may not write there.
        XiaoeRetriableError: The disk is full.
    """
    if is_local(path):
        with explained(local_name(path)), whole_file(path) as file:
            file.write(content)
    else:
        path.write_bytes(content)


def remove_tree(folder: Any) -> None:
    """Remove a folder and everything in it."""
    for child in folder.iterdir():
        if child.is_dir():
            remove_tree(child)
        else:
            child.unlink()
    if folder.exists():  # in a bucket, a folder disappears with its last file
        folder.rmdir()
