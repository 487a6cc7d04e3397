"""What an error of a disk means for the person who reads it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xiaoe.exceptions import XiaoeConfigError, XiaoeRetriableError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


@contextmanager
def explained(place: Any) -> Iterator[None]:
    """Let errors that somebody can do something about say what; others come as they are.

    Args:
        place: The file or folder that is used.

    Raises:
        XiaoeConfigError: The user that runs the workers may not use it.
        XiaoeRetriableError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise XiaoeRetriableError(
                f"{place} could not be written ({error.strerror}): free some space there; nothing is lost, trying"
                " again later"
            ) from None
        if error.errno in _FORBIDDEN:
            raise XiaoeConfigError(
                f"{place} could not be used ({error.strerror}): the workers' user has to be able to read and write"
                " there: correct its rights, or the setting that names the place (XIAOE_PAGE_STORE, XIAOE_EXPORT_DIR)"
            ) from None
        raise
