"""Superset's Chinese: no guess of its catalogue is left, and the reviewed texts fit what they replace."""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path

import patch_zh
import pytest

PO = """msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=1; plural=0;\\n"

msgid "Charts"
msgstr "图表"

#, fuzzy
msgid "Bins"
msgstr "处于"

#, fuzzy
msgid "Select all"
msgstr "反选所有"

#, fuzzy, python-format
msgid "%s row"
msgid_plural "%s rows"
msgstr[0] "%s 错误"
"""
PACK = {"": {"lang": "zh"}, "Charts": ["图表"], "Bins": ["处于"], "Select all": ["反选所有"], "%s row": ["%s 错误"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "messages.po").write_text(PO, "utf-8")
    (tmp_path / "messages.json").write_text(json.dumps({"locale_data": {"superset": PACK}}), "utf-8")
    (tmp_path / "messages.mo").write_bytes(b"")
    return tmp_path


def test_guesses_go_and_reviewed_texts_come(folder: Path) -> None:
    assert patch_zh.patch(folder)
    browser = json.loads((folder / "messages.json").read_text("utf-8"))["locale_data"]["superset"]
    with (folder / "messages.mo").open("rb") as file:
        server = gettext.GNUTranslations(file)
    assert browser["Charts"] == ["图表"]
    assert browser["Select all"] == ["全选"]
    assert browser["%s row"] == ["%s 行"]
    assert "Bins" not in browser
    assert [server.gettext(text) for text in ("Charts", "Bins", "Select all")] == ["图表", "Bins", "全选"]
    assert server.ngettext("%s row", "%s rows", 2) == "%s 行"


def test_once_more_changes_nothing(folder: Path) -> None:
    patch_zh.patch(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert not patch_zh.patch(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_reviewed_texts_are_chinese_and_have_the_places_of_their_originals() -> None:
    places = re.compile(r"%\(\w+\)s|%[sd]")
    assert len(patch_zh.REVIEWED) > 300
    for text, reviewed in patch_zh.REVIEWED.items():
        assert sorted(places.findall(reviewed)) == sorted(places.findall(text)), text
        assert re.search("[\u4e00-\u9fff]", reviewed) or text == "N/A", text
