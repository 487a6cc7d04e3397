"""Ranges of days on Superset's pages: its scripts are changed as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import patch_pages
import pytest
from bi_assets import ASSETS, Assets

READ = Assets.read(ASSETS)
RANGE = 'return{value:((e,t="col")=>{let n=e.split(u);return 1===n.length?e:`${p(n[0],!0)} ≤ ${t} < ${p(n[1])}`})(n,t)}'
PILL = "[S,E]=(0,l.useState)(O),[T,N]=(0,l.useState)(!1);"
PILL += 't?Q(O||null):(a?(E(O),Q(Z(en,O,e))):(E(e||""),Q(Z(en,e,O))),j(!0))'
CHART = 'let t=f(e.value);return 0===t.length?null:t.join(", ")'
SHIPPED = {"a.js": RANGE + PILL, "b.js": RANGE, "c.js": f"x;{RANGE}", "d.js": CHART, "e.js": "`${a} ≤ x ≤ ${b}`"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SHIPPED.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def test_no_script_writes_a_range_as_a_formula_any_more(folder: Path) -> None:
    assert patch_pages.patch(folder, READ)
    made = read(folder)
    assert "≤ ${t} <" not in "".join(made[name] for name in SHIPPED)
    assert made["b.js"].count(").ends(n[0],n[1])})(n,t)") == 1
    assert ".range(O)),[T,N]=" in made["a.js"]
    assert 'E(e||""),Q(Z(en,e,null))' in made["a.js"]
    assert '.range(t.join(", "))' in made["d.js"]
    assert made["e.js"] == SHIPPED["e.js"]
    assert {name: made[f"{name}.shipped"] for name in ("a.js", "b.js", "c.js", "d.js")} == {
        name: text for name, text in SHIPPED.items() if name != "e.js"
    }


def test_once_more_changes_nothing_and_other_words_do(folder: Path) -> None:
    patch_pages.patch(folder, READ)
    before = read(folder)
    assert not patch_pages.patch(folder, READ)
    assert read(folder) == before
    assert patch_pages.patch(folder, Assets({}, {}))
    assert "近 90 日（含今日）" in before["b.js"]
    assert "近 90 日（含今日）" not in read(folder)["b.js"]


def test_scripts_of_another_release_are_left_as_they_are(folder: Path) -> None:
    (folder / "d.js").write_text("return t", "utf-8")
    before = read(folder)
    with pytest.raises(RuntimeError, match=r"do not have the filters of a chart where .* requirements\.txt"):
        patch_pages.patch(folder, READ)
    assert read(folder) == before
