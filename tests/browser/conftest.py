"""One box, one page and one browser for all tests of a run. Each test opens the page again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from chromium import Chromium
    from demo_site import DemoSite


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSite]:
    from demo_site import DemoSite

    with DemoSite(tmp_path_factory.mktemp("demo")) as site:
        site.until(lambda status: status.state == "playing", "the demo plays")
        yield site


@pytest.fixture
def site(shared_site: DemoSite) -> DemoSite:
    """The box with the settings of its file, armed, and its page."""
    from demo_site import until

    from device.errors import UserError

    def ready() -> bool:
        try:
            for name, value in (("arm", True), ("hold", False), ("style", "auto"), ("density", 1.0), ("register", 0)):
                shared_site.asked({"do": name, "value": value})
        except UserError:
            # the test before began a new session
            return False
        return True

    until(lambda: shared_site.asked({"reset": True}), "the changes are removed")
    until(ready, "the box plays")
    return shared_site


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """A browser of a phone's size."""
    # this file is imported even if the tier is left out because a module is missing
    from chromium import Chromium

    with Chromium() as chromium:
        chromium.size(390, 844, phone=True)
        yield chromium


@pytest.fixture
def page(site: DemoSite, browser: Chromium) -> Chromium:
    """The browser on the page, past the code."""
    browser.open(site.address, site.cookie)
    browser.shown("away", False)
    return browser
