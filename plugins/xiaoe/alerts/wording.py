"""In which language alerts speak, and where they link to; their texts are in `texts.yaml`."""

from __future__ import annotations

import logging
from typing import NamedTuple

from xiaoe import settings
from xiaoe.exceptions import XiaoeConfigError
from xiaoe.texts import texts_beside

log = logging.getLogger(__name__)


class Style(NamedTuple):
    """How messages are worded.

    Args:
        language: `zh` or `en`.
        docs_url: Folder of the documentation as staff reach it, without a slash at its end; empty: no links.
    """

    language: str = "zh"
    docs_url: str = ""

    def say(self, group: str, key: str, *values: object) -> str:
        """A text with its placeholders filled in."""
        return str(texts_beside(__file__)[group][key][self.language]).format(*values)


def configured() -> Style:
    """The style of the settings; a wrong one is logged and must hold up no alert."""
    try:
        return Style(settings.language(), settings.docs_url())
    except XiaoeConfigError as error:
        log.error("alerts are sent in Chinese and without links to the documentation: %s", error)
        return Style()
