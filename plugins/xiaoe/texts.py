"""Texts for people, in Chinese and English: in the code as `Text`, or in a `texts.yaml` beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

LANGUAGES = ("zh", "en")


class Text(NamedTuple):
    """A text in both languages."""

    zh: str
    en: str

    def to(self, language: str) -> str:
        """The text in `zh` or `en`."""
        return self.zh if language == "zh" else self.en


class Advice(NamedTuple):
    """What an error means and what a person does about it.

    Args:
        what: A few words, for the subject of a mail.
        fix: What to do, and where.
    """

    what: Text
    fix: Text

    def __str__(self) -> str:
        """As English messages have it."""
        return f"{self.what.en}: {self.fix.en}"


@cache
def texts_beside(module_file: str) -> dict[str, Any]:
    """`texts.yaml` in the folder of a module: key → language → text; some keys are groups of such.

    Args:
        module_file: The module's `__file__`.
    """
    found: dict[str, Any] = msgspec.yaml.decode(Path(module_file).with_name("texts.yaml").read_bytes())
    return found
