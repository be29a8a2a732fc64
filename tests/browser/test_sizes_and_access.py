"""The page in every size and for every owner: on its side, large letters, keyboard, screen reader, own colours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chromium import Chromium
from demo_site import DemoSite, steering, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

VIEWS = ("play", "setup", "recordings", "system")


def test_the_code_fits_in_letters_of_twice_the_size(site: DemoSite, browser: Chromium) -> None:
    browser.open(site.address)
    browser.shown("login")
    browser.size(360, 640, phone=True)
    browser.script("document.documentElement.style.fontSize = '200%'")
    try:
        browser.at("code").send_keys("000000")
        code = "const code = document.getElementById('code');"
        assert browser.script(code + "return code.scrollWidth <= code.clientWidth")
    finally:
        browser.size(390, 844, phone=True)


@pytest.fixture
def view(request: pytest.FixtureRequest, page: Chromium) -> Iterator[Chromium]:
    """The page at the view that the test names."""
    page.script("location.hash = arguments[0]", request.param)
    page.shown(request.param)
    if request.param == "setup":
        until(lambda: page.all("#inputs label") and page.all("#outputs label"), "the ports are listed")
    yield page
    page.script("location.hash = 'play'")


@pytest.mark.parametrize(
    ("view", "width", "height"),
    [("play", 844, 390), ("play", 1280, 800), *((name, 360, 640) for name in VIEWS)],
    indirect=["view"],
)
def test_nothing_is_cut_off_and_panic_is_always_there(view: Chromium, width: int, height: int) -> None:
    page = view
    page.size(width, height, phone=width < 1000)
    try:
        assert page.script("return document.documentElement.scrollWidth") <= width
        assert page.script("return document.documentElement.scrollHeight > 0")
        for part in ("0", "document.body.scrollHeight"):
            page.script(f"window.scrollTo(0, {part})")
            box = page.script("return document.getElementById('panic').getBoundingClientRect().toJSON()")
            assert box["top"] >= 0 and box["bottom"] <= height and box["left"] >= 0 and box["right"] <= width
        # the least size of a target by WCAG 2.2, 2.5.5
        small = "return [...document.querySelectorAll('button, fieldset label')].filter((e) => e.offsetParent)"
        sizes = page.script(small + ".map((e) => [e.id || e.textContent, e.offsetWidth, e.offsetHeight])")
        assert not [size for size in sizes if min(size[1:]) < 44]
    finally:
        page.size(390, 844, phone=True)


@pytest.mark.parametrize("view", VIEWS, indirect=True)
def test_letters_of_twice_the_size_fit_into_a_narrow_phone(view: Chromium) -> None:
    view.size(360, 640, phone=True)
    view.script("document.documentElement.style.fontSize = '200%'")
    try:
        assert view.script("return document.documentElement.scrollWidth") <= 360
    finally:
        view.script("document.documentElement.style.fontSize = ''")
        view.size(390, 844, phone=True)


@pytest.mark.parametrize(("width", "height"), [(740, 360), (844, 390), (1280, 720), (768, 1024), (360, 640)])
def test_the_first_switches_are_seen_without_a_movement(page: Chromium, width: int, height: int) -> None:
    page.size(width, height, phone=width < 1000)
    page.script("window.scrollTo(0, 0)")
    seen = (
        "const {left, right, top, bottom} = document.getElementById(arguments[0]).getBoundingClientRect();"
        "return [[left + 5, top + 5], [right - 5, bottom - 5]]"
        ".every(([x, y]) => document.elementFromPoint(x, y)?.id === arguments[0])"
    )
    try:
        for switch in ("arm", "hold", "panic"):
            assert page.script(seen, switch), switch
    finally:
        page.size(390, 844, phone=True)


def test_what_is_on_is_seen_where_the_system_sets_all_colours(page: Chromium) -> None:
    features = [{"name": "forced-colors", "value": "active"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    colours = (
        "return arguments[0].map((selector) => getComputedStyle(document.querySelector(selector)).backgroundColor)"
    )
    pairs = (
        ("#arm", "#tap"),
        ("#views [aria-current=page]", "#views [aria-current=false]"),
        ("#style label:has(:checked)", "#style label:not(:has(:checked))"),
        ("#beats .now-beat", "#beats i:not(.now-beat)"),
        ("#keys .heard:not(.black)", "#keys span:not(.black, .heard, .played)"),
    )
    try:
        for pair in pairs:
            until(lambda pair=pair: all(page.all(selector) for selector in pair), f"{pair} are there")
            until(lambda pair=pair: len(set(page.script(colours, pair))) == 2, f"{pair} differ")
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_everything_can_be_done_by_keyboard(site: DemoSite, browser: Chromium) -> None:
    browser.open(site.address)
    browser.shown("login")
    keys = ActionChains(browser.driver)

    def press(*which: str) -> None:
        keys.send_keys(*which).perform()

    def focus(wanted: str) -> None:
        for _ in range(40):
            if browser.script("return document.activeElement.id || document.activeElement.name") == wanted:
                return
            press(Keys.TAB)
        raise AssertionError(f"{wanted} cannot be reached with the Tab key")

    focus("code")
    press(site.code, Keys.ENTER)
    browser.shown("play")
    focus("arm")
    press(Keys.SPACE)
    steering(site, lambda now: not now.armed, "disarmed by the space bar")
    focus("style")
    press(Keys.ARROW_RIGHT)
    steering(site, lambda now: now.style == "bass", "the next style by the arrow key")
    focus("panic")
    outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is not visible"
    press(Keys.ENTER)


@pytest.mark.parametrize("view", VIEWS, indirect=True)
def test_a_screen_reader_has_a_name_for_everything(view: Chromium) -> None:
    page = view
    for element in page.all("button, input, select, meter, progress, [role=img], [role=log], fieldset"):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert page.at("message").get_attribute("role") == "status" and page.at("away").get_attribute("role") == "alert"
    assert page.script("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("view", VIEWS, indirect=True)
def test_the_tab_key_reaches_every_control_of_a_view_and_shows_where_it_is(view: Chromium) -> None:
    # of radio buttons with one name a browser stops at one
    wanted = set(view.script(
        "return [...document.querySelectorAll('button, input, select, summary, [tabindex]')]"
        ".filter((e) => e.getClientRects().length && !e.disabled)"
        ".map((e) => (e.type === 'radio' ? e.name : e.id || e.textContent))"
    ))  # fmt: skip
    view.script("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached, keys = set(), ActionChains(view.driver)
    for _ in range(80):
        keys.send_keys(Keys.TAB).perform()
        name, outline = view.script(
            "const e = document.activeElement, shown = e.type === 'radio' ? e.closest('label') : e;"
            "return [e.type === 'radio' ? e.name : e.id || e.textContent, getComputedStyle(shown).outlineStyle]"
        )
        if name in wanted:
            assert outline != "none", f"the focus on {name} is not visible"
            reached.add(name)
        if reached >= wanted:
            break
    assert reached == wanted


def test_nothing_moves_by_itself_so_reduced_motion_has_nothing_to_reduce(page: Chromium) -> None:
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    moving = (
        "return [...document.querySelectorAll('*')].map((e) => [e.id || e.tagName, getComputedStyle(e)])"
        ".filter(([, s]) => s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0).map(([name]) => name)"
    )
    assert page.script(moving) == []
    assert page.script("return document.getAnimations().length") == 0
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
