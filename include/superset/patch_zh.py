"""Corrects Superset's Chinese: its catalogue contains compiled-in fuzzy guesses ("Summary" is 星期日 there)."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

CORRECTIONS = {
    "Summary": "合计",
    "Sign in": "登录",
    "Log in": "登录",
    "Enter your login and password below:": "请输入用户名和密码：",
    "Username:": "用户名：",
    "Password:": "密码：",
    "Filters and controls": "筛选条件",
    "Apply filters": "应用筛选",
    "List Users": "用户列表",
    "Users": "用户",
    "entries per page": "条/页",
    "There is currently no information to display.": "暂无数据",
    "%s record": "%s 行",
    "View as table": "以表格查看",
    "More Options": "更多选项",
}


def catalogue() -> Path:
    """The folder of the installed Superset with its Chinese catalogue.

    Raises:
        RuntimeError: There is none; the images on Docker Hub leave it out.
    """
    package = find_spec("superset")  # without importing it, which takes seconds
    folder = Path(str(package and package.origin)).parent / "translations/zh/LC_MESSAGES"
    if not (folder / "messages.po").exists():
        raise RuntimeError(
            f"this Superset has no Chinese texts: {folder} is empty; install the release in requirements.txt"
        )
    return folder


def patch(folder: Path) -> bool:
    """Write the corrections into messages.json (read by the browser) and messages.mo (by the server).

    Returns:
        Whether anything was changed.
    """
    browser = folder / "messages.json"
    catalogue_json = json.loads(browser.read_text("utf-8"))
    texts = catalogue_json["locale_data"]["superset"]
    if all(texts.get(source) == [target] for source, target in CORRECTIONS.items()):
        return False
    _compile(folder)
    texts |= {source: [target] for source, target in CORRECTIONS.items()}
    _replace(browser, json.dumps(catalogue_json, ensure_ascii=False).encode())
    return True


def _compile(folder: Path) -> None:
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with open(folder / "messages.po", "rb") as source:
        messages = read_po(source, locale="zh")
    for text, correction in CORRECTIONS.items():
        message = messages.get(text) or messages.add(text)
        message.string = (correction,) if message.pluralizable else correction
        message.flags.discard("fuzzy")
    target = BytesIO()
    write_mo(target, messages, use_fuzzy=True)
    _replace(folder / "messages.mo", target.getvalue())


def _replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: a running server reads the old or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with open(handle, "wb") as file:
        file.write(content)
    os.chmod(name, path.stat().st_mode)
    os.replace(name, path)
