"""Corrects how Superset's pages show a range of days, `2026-09-02 ≤ col < 2026-12-01`, for which it has no setting.

The scripts that Superset ships are changed where they are installed, and the shipped ones kept beside them. Scripts
without the text to be replaced are an error: they are those of another release.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bi_links
from bi_assets import ASSETS, Assets
from patch_zh import REVIEWED, replace

if TYPE_CHECKING:
    from collections.abc import Callable


WORDS = Path(__file__).with_name("range_words.js").read_text("utf-8")
_SHIPPED = ".shipped"
_FIXED = ("Last ", "Previous ", "previous ", "Current ")


class Change(NamedTuple):
    """A change of scripts.

    Args:
        old: What is replaced, in a script as it is shipped.
        new: The replacement; `WORDS` in it is the object that range_words.js makes.
        scripts: How many scripts have it.
    """

    old: re.Pattern[str]
    new: str
    scripts: int


_NAME = r"([\w$]+)"
CHANGES = {
    "the range that a filter stands for": Change(
        re.compile(rf"`\$\{{{_NAME}\({_NAME}\[0\],!0\)\}} ≤ \$\{{{_NAME}\}} < \$\{{\1\(\2\[1\]\)\}}`"),
        r"WORDS.ends(\2[0],\2[1])",
        3,
    ),
    "the filter before the range is known, and its tooltip": Change(
        re.compile(
            rf"(\[[\w$]+,[\w$]+\]=\(0,[\w$]+\.useState\))\({_NAME}\)(,\[[\w$]+,[\w$]+\]=\(0,[\w$]+\.useState\)\(!1\).*?)"
            rf"\({_NAME}\({_NAME}\|\|\"\"\),{_NAME}\({_NAME}\({_NAME},\5,\2\)\)\)"
        ),
        r'\1(WORDS.range(\2))\3(\4(\5||""),\6(\7(\8,\5,null)))',
        1,
    ),
    "the filters of a chart": Change(
        re.compile(rf"return 0==={_NAME}\.length\?null:\1\.join\(\", \"\)"),
        r'return 0===\1.length?null:WORDS.range(\1.join(", "))',
        1,
    ),
}
"""What a page shows → the change of the scripts that show it."""


def scripts() -> Path:
    """The folder of the installed Superset's scripts."""
    package = find_spec("superset")  # without importing it, which takes seconds
    return Path(str(package and package.origin)).parent / "static" / "assets"


def words(assets: Assets) -> str:
    """range_words.js with the names that ranges have here."""
    fixed = {text: reviewed for text, reviewed in REVIEWED.items() if text.startswith(_FIXED)}
    names = json.dumps({**fixed, **bi_links.names(assets)}, ensure_ascii=False)
    return re.sub(r"^ *//.*\n", "", WORDS, flags=re.MULTILINE).strip().replace("NAMES", names)


def patch(folder: Path, assets: Assets) -> bool:
    """Change the scripts.

    Returns:
        Whether anything was changed.

    Raises:
        RuntimeError: Superset's scripts are not those that this was written for.
    """
    said = f"({words(assets)})"
    counted = dict.fromkeys(CHANGES, 0)
    made: dict[Path, tuple[str, str]] = {}
    for path in sorted(folder.glob("*.js")):
        text = shipped = _shipped(path).read_text("utf-8")
        for name, change in CHANGES.items():
            text, number = change.old.subn(_with(change.new, said), text)
            counted[name] += number > 0
        if text != shipped:
            made[path] = (shipped, text)
    if wrong := [name for name, change in CHANGES.items() if counted[name] != change.scripts]:
        raise RuntimeError(
            f"the scripts in {folder} do not have {'; '.join(wrong)} where Superset 6.1 has it: install the release in"
            " requirements.txt, or change CHANGES in patch_pages.py"
        )
    for path, (shipped, _) in made.items():
        if _shipped(path) == path:
            path.with_name(path.name + _SHIPPED).write_text(shipped, "utf-8")
    return any([replace(path, text.encode()) for path, (_, text) in made.items()])


def _with(new: str, said: str) -> Callable[[re.Match[str]], str]:
    return lambda match: match.expand(new).replace("WORDS", said)


def _shipped(path: Path) -> Path:
    """A script as Superset ships it."""
    kept = path.with_name(path.name + _SHIPPED)
    return kept if kept.exists() else path


if __name__ == "__main__":
    patch(scripts(), Assets.read(ASSETS))
