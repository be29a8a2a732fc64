"""All words of the page come from the file of texts, so another language is one more file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chromium import Chromium
from demo_site import DemoSite, until

MARK = "\u27e6"
OTHER_LANGUAGE = """
const mark = (value) => typeof value === "string" ? "\u27e6" + value + "\u27e7"
  : typeof value === "function" ? (...given) => mark(value(...given))
  : Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mark(each)]));
let texts;
const translated = (value) => ({...mark(value), language: "de"});
Object.defineProperty(window, "TEXTS", {get: () => texts, set: (value) => { texts = translated(value); }});
"""
"""Puts a mark around each text, as if the page had a file of another language."""
OF_THE_BOX = (
    "#message, #waits, #problem, #error, #chord, #log, #card, #findings, #roll, "
    "fieldset.list label > span, #meter option, #ear-input option, #learn-says, #calibration-says"
)
"""Elements that show names and sentences of the box, which is English."""
UNMARKED = """
const [box, mark] = arguments, found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  const element = node.parentElement, outside = element.closest("script") || element.closest(box);
  if (/[a-z]{2}/i.test(node.data) && !outside && !element.textContent.includes(mark)) found.push(node.data);
}
for (const name of ["aria-label", "title", "placeholder", "alt"])
  for (const element of document.querySelectorAll(`[${name}]`)) {
    const text = element.getAttribute(name);
    if (text && !text.includes(mark)) found.push(text);
  }
if (!document.title.includes(mark)) found.push(document.title);
return found;
"""


@pytest.fixture
def translated(site: DemoSite, browser: Chromium) -> Iterator[Chromium]:
    """The page with marked texts."""
    script = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": OTHER_LANGUAGE})
    browser.open(site.address, site.cookie)
    browser.shown("away", False)
    yield browser
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_no_word_of_any_view_is_outside_the_file_of_texts(site: DemoSite, translated: Chromium) -> None:
    page = translated
    ready = {"play": "#keys .heard", "setup": "#inputs .lamp.on", "recordings": "#tapes li", "system": "#slots li"}
    site.asked({"set": {"play": {"style": "bass"}}})
    for view, there in ready.items():
        page.script("location.hash = arguments[0]", view)
        until(lambda there=there: page.all(there), f"{view} has its content")
        if view == "setup":
            page.says("changes", "[play] style")
            page.press("examine")
            until(lambda: len(page.all("#findings li b")) > 3, "the findings")
        assert page.script(UNMARKED, OF_THE_BOX, MARK) == [], view
    assert page.script("return document.documentElement.lang") == "de"
