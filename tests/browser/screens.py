"""Writes the pictures of the page that stand in the documents: python -m tests.browser.screens"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from chromium import Chromium  # noqa: E402
from demo_site import ROOT, DemoSite, until  # noqa: E402

from device.system.paths import SERVICE_STATE  # noqa: E402

FOLDER = ROOT / "docs" / "screens"
SIZES = {"phone": (390, 844, True), "desktop": (1100, 800, False)}
OWN_FOLDER = "const log = document.getElementById('log'); log.textContent = log.textContent.replaceAll(...arguments)"
SETTLED_S = 12.0
"""Seconds after which the demo has counted in and both hands play."""


def main() -> None:
    """Write every picture."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="the pictures whose name begins so")
    only = options.parse_args().only
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, DemoSite(Path(folder)) as site, Chromium() as browser:
        browser.open(site.address, site.cookie)
        browser.shown("away", False)
        site.asked({"record": True})
        time.sleep(SETTLED_S)
        site.asked({"record": False})
        time.sleep(SETTLED_S)
        for size, (width, height, phone) in SIZES.items():
            browser.size(width, height, 1.0, phone)
            for scheme in ("dark", "light"):
                browser.scheme(scheme)
                browser.script("location.hash = 'play'")
                picture(browser, f"play-{size}-{scheme}", only, "#keys .played")
                browser.script("location.hash = 'setup'")
                picture(browser, f"setup-{size}-{scheme}", only, "#inputs .lamp.on")
                browser.script("document.getElementById('calibrate').closest('section').scrollIntoView()")
                picture(browser, f"calibration-{size}-{scheme}", only, "#learn")
                browser.script("location.hash = 'recordings'")
                until(lambda: browser.all("#tapes button"), "the recording is listed")
                if not browser.at("tape").is_displayed():
                    browser.all("#tapes button")[0].click()
                browser.says("tape-says", "played by the box")
                browser.script("place(3); window.scrollTo(0, 0); document.activeElement.blur()")
                picture(browser, f"recordings-{size}-{scheme}", only, "#tapes button")
                browser.script("location.hash = 'system'")
                # the log shows the folder of this run, where a box has its own
                until(lambda: "captured" in browser.at("log").text, "the log is shown")
                browser.script(OWN_FOLDER, str(site.state), str(SERVICE_STATE))
                picture(browser, f"box-{size}-{scheme}", only, "#slots li")


def picture(browser: Chromium, name: str, only: str, when: str) -> None:
    """Write one picture when the CSS selector `when` finds something."""
    if name.startswith(only):
        until(lambda: browser.all(when), f"{name} is ready")
        browser.driver.save_screenshot(str(FOLDER / f"{name}.png"))
        print(FOLDER.relative_to(ROOT) / f"{name}.png")


if __name__ == "__main__":
    main()
