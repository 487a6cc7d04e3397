"""The page's two languages: texts, numbers, times, sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from xiaoe.clock import in_words
from xiaoe.texts import LANGUAGES, texts_beside
from xiaoe.vocabulary import CHANGE_SOURCES, MODES, RESOURCES

_EIGHT_HOURS = timedelta(hours=8)


def choose_language(wanted: str | None, accepted: str) -> str:
    """The language of a page: the one asked for, else the browser's first supported one, else Chinese.

    Args:
        wanted: The query parameter `lang`.
        accepted: The header Accept-Language, e.g. `en-GB,en;q=0.9,zh;q=0.8`.
    """
    if wanted in LANGUAGES:
        return wanted
    offers = [part.strip().partition(";q=") for part in accepted.lower().split(",")]
    ranked = sorted(offers, key=lambda offer: -_quality(offer[2]))
    return next((name[:2] for name, _, _ in ranked if name[:2] in LANGUAGES), LANGUAGES[0])


def _quality(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return 0.0


def all_texts() -> dict[str, Any]:
    """The content of `texts.yaml`: key → language → text; some keys are groups of such."""
    return texts_beside(__file__)


class Texts:
    """Texts and formats of one language.

    Args:
        language: `zh` or `en`.
        now: The current time, naive UTC.
    """

    def __init__(self, language: str, now: datetime) -> None:
        self.language = language
        self.now = now

    def __call__(self, key: str, *values: object) -> str:
        """A text with its placeholders filled in."""
        return str(all_texts()[key][self.language]).format(*values)

    def name(self, group: str, code: str | None) -> str:
        """The name of a code; the code itself if it has none."""
        names = all_texts()[group].get(code)
        return str(names[self.language] if names else code or "")

    def resource(self, code: str) -> str:
        """What the data of a sync are called."""
        return RESOURCES[code].to(self.language) if code in RESOURCES else code

    def mode(self, code: str) -> str:
        """What a way of reading is called."""
        return MODES[code].to(self.language) if code in MODES else code

    def source(self, code: str) -> str:
        """What saw a change of an order first."""
        return CHANGE_SOURCES[code].to(self.language) if code in CHANGE_SOURCES else code

    def join(self, parts: Iterable[str]) -> str:
        """A list in one line."""
        return ("，" if self.language == "zh" else ", ").join(parts)

    def number(self, value: int | Decimal | None) -> str:
        """A number with thousands separators and no trailing zeros."""
        if value is None:
            return "–"
        return f"{value.normalize():,f}" if isinstance(value, Decimal) else f"{value:,}"

    def size(self, value: int | None) -> str:
        """A size in bytes, in decimal units."""
        if value is None:
            return "–"
        for power, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if value >= power:
                return f"{value / power:.1f} {unit}"
        return f"{value} B"

    def beijing(self, moment: datetime | None) -> str:
        """A bookkeeping time (naive UTC) as Beijing time, to the minute."""
        return self.minute(moment + _EIGHT_HOURS) if moment else "–"

    def minute(self, moment: datetime | None) -> str:
        """A business time (Beijing), to the minute."""
        return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"

    def ago(self, moment: datetime | None) -> str:
        """The time since a bookkeeping time."""
        if moment is None:
            return self("never")
        age = self.now - moment
        return self("ago", in_words(age, self.language)) if age >= timedelta(minutes=1) else self("just_now")

    def seconds(self, value: Decimal | None) -> str:
        """A duration of a task."""
        if value is None:
            return "–"
        if value < 120:
            return self("seconds", f"{value:.1f}")
        return in_words(timedelta(seconds=float(value)), self.language)
