"""Debian's Chromium, driven by Selenium with the chromedriver of the same package, on one page."""

from __future__ import annotations

import shutil
from types import TracebackType
from typing import Any

from demo_site import until
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses its sandbox to root, and the page under test is ours
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
)


class Chromium:
    """One browser with one tab."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or "chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def size(self, width: int, height: int, scale: float = 1.0, phone: bool = False) -> None:
        """Set the size of the page in CSS pixels."""
        numbers = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", numbers)

    def scheme(self, name: str) -> None:
        """Prefer the colours "dark" or "light"."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, address: str, cookie: str | None = None, view: str = "play") -> None:
        """Open the page, as a browser that has given the code if its `cookie` is given."""
        self.driver.get(f"{address.split('/#')[0]}/icon.svg")
        self.driver.delete_all_cookies()
        if cookie is not None:
            self.driver.add_cookie({"name": "lefthand", "value": cookie})
        self.driver.get_log("browser")
        self.driver.get(address)
        if cookie is not None:
            self.shown(view)

    def at(self, id_: str) -> WebElement:
        """The element with this id."""
        return self.driver.find_element(By.ID, id_)

    def all(self, selector: str) -> list[WebElement]:
        """All elements that the CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, id_: str) -> None:
        """Click on the element with this id."""
        self._click(self.at(id_))

    def _click(self, element: WebElement) -> None:
        # at the lower edge of the screen the bar with the panic button lies over it
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def choose(self, group: str, value: str) -> None:
        """Click on the label of a radio button of `group`."""
        self._click(self.driver.find_element(By.CSS_SELECTOR, f"#{group} label:has(input[value='{value}'])"))

    def script(self, text: str, *arguments: Any) -> Any:
        """Run JavaScript and return its value."""
        return self.driver.execute_script(text, *arguments)

    def shown(self, id_: str, is_shown: bool = True) -> None:
        """Wait until the element is shown, or hidden."""
        until(lambda: self.at(id_).is_displayed() == is_shown, f"{id_} is {'shown' if is_shown else 'hidden'}")

    def says(self, id_: str, words: str) -> None:
        """Wait until the element's text contains `words`."""
        until(lambda: words in self.at(id_).text, f"{id_} says {words!r}, not {self.at(id_).text!r}")
