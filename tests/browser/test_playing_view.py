"""The playing view in Chromium, in front of a box that plays: each control with its effect on the box."""

from __future__ import annotations

import signal
import time

import pytest
from chromium import Chromium
from demo_site import DemoSite, steering, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


def test_a_wrong_code_is_refused_in_words_and_the_right_one_opens(site: DemoSite, browser: Chromium) -> None:
    browser.open(site.address)
    browser.shown("login")
    assert not browser.at("play").is_displayed() and not browser.at("panic").is_displayed()
    wrong = "000000" if site.code != "000000" else "111111"
    browser.at("code").send_keys(wrong, Keys.ENTER)
    browser.says("wrong", "wrong")
    browser.at("code").send_keys(site.code, Keys.ENTER)
    browser.shown("play")
    browser.shown("panic")
    (cookie,) = browser.driver.get_cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    browser.driver.refresh()
    browser.shown("play")


def test_arm_and_hold_change_the_box_and_show_its_state(site: DemoSite, page: Chromium) -> None:
    page.says("arm", "on")
    page.press("arm")
    steering(site, lambda now: not now.armed, "disarmed")
    page.says("arm", "off")
    assert page.at("arm").get_attribute("aria-pressed") == "false"
    page.press("arm")
    steering(site, lambda now: now.armed, "armed")
    page.press("hold")
    steering(site, lambda now: now.hold, "held")
    until(lambda: page.at("hold").get_attribute("aria-pressed") == "true", "hold is shown")


def test_the_tempo_is_held_and_the_state_is_shown(site: DemoSite, page: Chromium) -> None:
    for held in (True, False):
        page.press("tempo-hold")
        steering(site, lambda now, held=held: now.tempo_held is held, f"the tempo is held: {held}")
        shown = str(held).lower()
        until(lambda shown=shown: page.at("tempo-hold").get_attribute("aria-pressed") == shown, "it is shown")


@pytest.mark.parametrize("style", ["bass", "block", "broken", "arpeggio", "oom-pah", "sustained"])
def test_each_style_reaches_the_box_and_is_kept(site: DemoSite, page: Chromium, style: str) -> None:
    page.choose("style", style)
    steering(site, lambda now: now.style == style, style)

    def kept() -> bool:
        # the change takes effect before it is stored
        changed = site.asked({"settings": True})["settings"]["changed"]
        return [(change["key"], change["value"]) for change in changed] == [("style", style)]

    until(kept, f"{style} is stored")
    checked = page.all("#style input:checked")
    until(lambda: [box.get_attribute("value") for box in checked] == [style], f"{style} is chosen")


def test_density_and_register_reach_the_box(site: DemoSite, page: Chromium) -> None:
    page.choose("density", "2")
    page.choose("register", "-12")
    steering(site, lambda now: now.density == 2.0 and now.register == -12, "denser and lower")


def test_a_count_in_is_asked_for_and_shown(site: DemoSite, page: Chromium) -> None:
    page.press("count")
    steering(site, lambda now: now.counting_in, "a count-in is awaited")
    page.says("message", "count-in")


def test_four_taps_give_the_tempo(site: DemoSite, page: Chromium) -> None:
    # an empty count-in is ended by the player's own notes too, so the taps come at once and in the page's own time
    page.press("count")
    page.script("for (let i = 0; i < 4; i++) setTimeout(() => document.getElementById('tap').click(), 100 + i * 500);")
    steering(site, lambda now: not now.counting_in, "the taps are the count-in")
    site.until(lambda status: status.tempo is not None and status.beat is not None, "the beat goes on")


def test_panic_ends_hold_and_takes_all_keys_of_the_box_from_the_screen(site: DemoSite, page: Chromium) -> None:
    page.choose("style", "sustained")
    until(lambda: page.all("#keys .played"), "the left hand plays")
    page.press("hold")
    steering(site, lambda now: now.hold, "held")
    page.press("panic")
    steering(site, lambda now: not now.hold, "the panic ended hold")
    page.press("arm")
    until(lambda: not page.all("#keys .played"), "no key of the left hand stays on the screen")


def test_keys_beats_chord_and_level_are_those_of_the_box(site: DemoSite, page: Chromium) -> None:
    seen: set[str] = set()

    def both() -> bool:
        seen.update(page.script("return [...document.querySelectorAll('#keys .heard, #keys .played')]"
                                ".flatMap((key) => [...key.classList])"))  # fmt: skip
        return {"heard", "played"} <= seen

    until(both, "keys of both hands")
    until(lambda: page.at("chord").text not in ("", "–"), "a chord")
    until(lambda: page.at("tempo").text.isdigit(), "a tempo")
    until(lambda: page.all("#beats .now-beat"), "a beat")
    until(lambda: float(page.at("level").get_attribute("value") or -60) > -40, "a level")


def test_two_browsers_show_the_same_and_the_last_one_wins(site: DemoSite, page: Chromium) -> None:
    with Chromium() as other:
        other.size(1024, 768)
        other.open(site.address, site.cookie)
        page.press("arm")
        other.says("arm", "off")
        other.press("arm")
        page.says("arm", "on")
        other.choose("style", "block")
        until(lambda: page.all("#style input[value=block]:checked"), "both show the style")


def test_the_page_is_killed_and_comes_back_by_itself(site: DemoSite, page: Chromium) -> None:
    hops = site.until(lambda status: status.state == "playing", "playing").hop.count
    site.end(site.page, signal.SIGKILL)
    page.shown("away")
    page.says("away", "does not answer")
    site.until(lambda status: status.hop.count > hops + 30, "the box plays on")
    site.begin_page()
    page.shown("away", False)
    page.press("arm")
    steering(site, lambda now: not now.armed, "the page steers again")


def test_a_connection_that_is_silent_is_told_and_made_again(site: DemoSite, page: Chromium) -> None:
    assert site.page is not None
    page.script("window.before = stream")
    # as if the plug of the box was pulled: no answer comes, and no end of the connection either
    site.page.send_signal(signal.SIGSTOP)
    try:
        page.shown("away")
        until(lambda: page.script("return window.before.readyState") == 2, "the connection is given up")
    finally:
        site.page.send_signal(signal.SIGCONT)
    page.shown("away", False)


def test_the_box_is_killed_and_the_page_says_so_until_it_is_back(site: DemoSite, page: Chromium) -> None:
    site.end(site.box, signal.SIGKILL)
    page.shown("away")
    assert not page.all("#keys .heard, #keys .played")
    site.begin_box()
    page.shown("away", False)
    site.until(lambda status: status.state == "playing", "the box plays again")


def test_a_refusal_of_the_box_is_shown_in_its_words(site: DemoSite, page: Chromium) -> None:
    page.script("order({do: 'dance'})")
    page.says("error", "the actions are")


STATUS = """
const now = {state: 'waiting', message: 'waiting for a piano', tempo: null, beat: null, lock: null, chord: null,
  audio: {level_db: null, port: null}, midi: {}, heard: [], steering: null, ...arguments[0]};
status(now);
"""
"""Shows a status, as if the box had sent it. The box soon sends its own, so the same script also reads the page."""


def test_a_right_hand_without_sound_has_no_level_and_is_not_too_loud(page: Chromium) -> None:
    shown = STATUS + "return ['level', 'clip'].map((id) => document.getElementById(id).getClientRects().length > 0)"
    assert page.script(shown, {}) == [False, False]
    assert page.script(shown, {"audio": {"level_db": -20.0}}) == [True, False]
    assert page.script(shown, {"audio": {"level_db": 0.0}}) == [True, True]


def test_a_box_that_waits_leads_to_its_ports_and_its_switches_look_as_if_they_did_nothing(page: Chromium) -> None:
    look = """
    const style = (id) => getComputedStyle(document.getElementById(id));
    const look = (id) => style(id).color + style(id).borderTopStyle;
    const link = document.getElementById('elsewhere');
    return [look('arm'), link.hidden, link.hash];
    """
    waiting, hidden, leads_to = page.script(STATUS + look, {})
    assert (hidden, leads_to) == (False, "#setup")
    page.shown("elsewhere", False)
    until(lambda: page.at("arm").is_enabled(), "the box plays")
    assert page.script(look)[0] != waiting


def test_a_button_shows_that_it_is_pressed(page: Chromium) -> None:
    page.script("window.scrollTo(0, 0)")
    colour = "return getComputedStyle(document.getElementById('tap')).borderTopColor"
    before, finger = page.script(colour), ActionChains(page.driver)
    finger.click_and_hold(page.at("tap")).perform()
    try:
        assert page.script(colour) != before
    finally:
        finger.release().perform()
    assert page.script(colour) == before


def test_dates_are_written_as_the_browser_writes_them(site: DemoSite, page: Chromium) -> None:
    agent = page.script("return navigator.userAgent")
    page.driver.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "en-GB"})
    try:
        page.open(site.address, site.cookie)
        assert page.script("return day('2026-11-27T12:00:00')") == "27 Nov 2026"
    finally:
        page.driver.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": "en-US"})


def test_nothing_comes_from_elsewhere_and_nothing_is_refused_by_the_policy(site: DemoSite, page: Chromium) -> None:
    until(lambda: page.all("#keys .heard"), "the page has worked for a while")
    loaded = page.script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded and all(name.startswith(site.address + "/") for name in loaded)
    assert not [line for line in page.driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_sentence_begins_with_a_capital_letter_and_a_path_stays_as_it_is(page: Chromium) -> None:
    shown = page.script(
        "return arguments[0].map((message) => { status({state: 'waiting', message, tempo: null, beat: null, "
        "lock: null, chord: null, audio: {level_db: null}, steering: null}); "
        "return [at('message').textContent, getComputedStyle(at('message'), '::first-letter').textTransform]; })",
        ["waiting for it", "/etc/lefthand.toml: no"],
    )
    assert shown == [["Waiting for it", "none"], ["/etc/lefthand.toml: no", "none"]]


def test_a_name_with_markup_is_shown_as_text(site: DemoSite, page: Chromium) -> None:
    name = "<img src=x onerror=window.hit=1><b>piano</b>"
    shown = page.script(
        "status({state: 'waiting', message: arguments[0], tempo: null, beat: null, lock: null, chord: arguments[0], "
        "audio: {level_db: null}, steering: null}); "
        "return [document.getElementById('message').textContent, document.getElementById('chord').children.length];",
        name,
    )
    assert shown == [name, 0]
    time.sleep(0.2)
    assert page.script("return window.hit === undefined")
