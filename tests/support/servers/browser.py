"""A real browser: the Chromium of the machine, driven by playwright. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
LOOPBACK = ("127.0.0.1", "localhost")
PATIENCE = 60_000
"""Milliseconds; the UI is a large program, and the machine may be busy."""


@contextmanager
def chromium() -> Iterator[Any]:
    """The machine's browser; without one the test fails in CI and is left out elsewhere."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: apt-get install chromium fonts-noto-cjk", pytrace=False)
        warnings.warn("no Chromium here: the tests in a browser are left out (apt-get install chromium)", stacklevel=1)
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One visitor: a page, and what it asked for and complained of.

    Args:
        browser: Of `chromium()`.
        options: Of the context, e.g. `viewport`, `color_scheme`, `locale`.
    """

    def __init__(self, browser: Any, **options: Any) -> None:
        self._context = browser.new_context(**options)
        self._context.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = self._context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))

    @property
    def strangers(self) -> set[str | None]:
        """Hosts off this machine that something was asked of."""
        asked = {urlsplit(url) for url in self.requests}
        return {url.hostname for url in asked if url.scheme in ("http", "https", "ws", "wss")} - set(LOOPBACK)

    def close(self) -> None:
        self._context.close()
