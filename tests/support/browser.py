"""A real browser for tests of pages: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 180_000
"""Milliseconds."""
SERIOUS = {"serious", "critical"}


def chromium() -> str:
    """Return the path of the system's Chromium.

    Without one the test is skipped; on a CI machine it fails, unless WITHOUT_BROWSER says that none can be had there.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = "no Chromium is installed (Debian and Ubuntu: apt-get install chromium)"
        wanted = os.environ.get("CI", "").lower() in {"1", "true", "yes"} and not os.environ.get("WITHOUT_BROWSER")
        if wanted:
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found


@dataclass
class Watched:
    """A page, and what it said and asked for since it was opened.

    Attributes:
        page: Playwright's page.
        complaints: Errors and warnings of the console, and exceptions.
        requests: Addresses that were asked for.
    """

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, address: str | Path) -> Any:
        """Go to an address or a file, and return the page."""
        self.page.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
        return self.page

    def foreign(self, *own: str) -> list[str]:
        """Return the requests that start with none of ``own``, ``data:`` and ``blob:``."""
        return [request for request in self.requests if not request.startswith((*own, "data:", "blob:"))]

    def faults(self) -> list[str]:
        """Return what axe finds to be a serious or critical hindrance, one line each."""
        from axe_playwright_python.sync_playwright import Axe

        # Without preload axe looks at the page as it is, and asks for no file a second time.
        found = Axe().run(self.page, options={"preload": False}).response["violations"]
        return [
            f"{fault['id']}: {node['html'][:200]}"
            for fault in found
            if fault["impact"] in SERIOUS
            for node in fault["nodes"]
        ]


@contextmanager
def started() -> Iterator[Any]:
    """Yield a running browser."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, timeout=PATIENCE)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(browser: Any, **context: Any) -> Iterator[Watched]:
    """Yield a page of its own.

    Args:
        browser: From `started`.
        context: As Playwright's ``new_context``, e.g. ``viewport`` and ``color_scheme``.
    """
    opened = browser.new_context(**context)
    # A busy machine fails no test.
    opened.set_default_timeout(PATIENCE)
    opened.set_default_navigation_timeout(PATIENCE)
    watch = Watched(opened.new_page())
    watch.page.on("request", lambda request: watch.requests.append(request.url))
    watch.page.on("pageerror", lambda error: watch.complaints.append(str(error)))
    watch.page.on(
        "console", lambda said: watch.complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    try:
        yield watch
    finally:
        opened.close()
