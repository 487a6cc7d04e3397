"""Places for files: a folder of a disk, or a bucket. A path is a `pathlib.Path` or an `ObjectStoragePath`."""

from __future__ import annotations

import os
from typing import Any


def is_local(path: Any) -> bool:
    """Whether a path is on a disk."""
    return getattr(path, "protocol", "") in ("", "file", "local")


def local_name(path: Any) -> str:
    """The name of a local file, as the system knows it."""
    return os.fspath(getattr(path, "path", path))
