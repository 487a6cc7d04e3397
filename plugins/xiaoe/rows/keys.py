"""Keys of rows as hashes: sets of millions of them, in eight bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.int64]
"""Hashes of keys: eight bytes each, so that a window of millions of rows stays small."""


key_hash = hash
"""64 bits of a key: Python's own SipHash, which begins differently in each process, so it is not to be stored."""


def distinct(parts: Iterable[array[int]]) -> Keys:
    """Sorted distinct hashes of some pages, or of other parts."""
    return _sorted(np.concatenate([np.empty(0, np.int64), *(np.frombuffer(part, np.int64) for part in parts if part)]))


def among(hashes: Keys, keys: Keys) -> npt.NDArray[np.bool_]:
    """Which of some hashes are among these sorted ones, of which there may be millions; nothing as large is made."""
    places = np.searchsorted(keys, hashes)
    places[places == len(keys)] = 0
    return keys[places] == hashes if len(keys) else np.zeros(len(hashes), np.bool_)


def _sorted(hashes: Keys) -> Keys:
    hashes.sort()
    again = hashes[1:] == hashes[:-1]
    return hashes[np.append(True, ~again)] if again.any() else hashes


def merged(keys: Sequence[Keys]) -> Keys:
    """Distinct keys, sorted, of parts that are."""
    return keys[0] if len(keys) == 1 else _sorted(np.concatenate(keys))
