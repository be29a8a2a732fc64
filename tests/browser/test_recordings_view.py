"""The views of the recordings and of the box in Chromium: record, look, listen, take along, delete; models and log."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Chromium
from demo_site import DemoSite, until

FETCH = """
const [path, done] = arguments;
fetch(path).then((answer) => answer.arrayBuffer()).then((data) => {
  const bytes = new Uint8Array(data);
  done([bytes.length, String.fromCharCode(...bytes.slice(0, 4))]);
}, () => done(null));
"""


@pytest.fixture
def view(page: Chromium) -> Chromium:
    page.script("location.hash = 'recordings'")
    page.shown("recordings")
    return page


def test_a_recording_is_made_shown_heard_taken_along_and_deleted(site: DemoSite, view: Chromium) -> None:
    view.says("room", "hours of sound")
    view.says("tapes", "no recording")
    view.press("record")
    site.until(lambda status: status.recording == "001", "it records")
    view.says("record", "001")
    site.until(lambda status: bool(status.played) and status.played[-1].age_s < 1, "the left hand plays into it")
    view.press("record")
    site.until(lambda status: status.recording is None and status.state == "playing", "it plays without recording")
    until(lambda: view.all("#tapes button"), "the recording is listed")
    view.all("#tapes button")[0].click()
    view.says("tape-says", "played by the box")
    heard, played, beats, seconds = view.script(
        "return [tape.heard.length, tape.played.length, tape.beats.map((beat) => beat.first), tape.seconds]"
    )
    assert heard > 4 and played > 0 and seconds > 3
    assert len(beats) > 4 and 0 < sum(beats) < len(beats)
    colours = view.script(
        "const roll = document.getElementById('roll');"
        "const data = roll.getContext('2d').getImageData(0, 0, roll.width, roll.height).data, seen = new Set();"
        "for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data.slice(i, i + 3).join());"
        "return [...seen]"
    )
    assert {"92,200,255", "255,180,84"} <= set(colours) or {"10,111,184", "181,91,0"} <= set(colours)
    # a list of many recordings lies below the one that is open, and the next Tab leads into that one
    above = "return document.getElementById('tape').compareDocumentPosition(document.getElementById('tapes'))"
    assert view.script(above + " & Node.DOCUMENT_POSITION_FOLLOWING")
    assert view.script("return document.activeElement.id") == "tape-name"
    view.press("listen")
    until(lambda: view.script("return position()") > 0.5, "the sound runs")
    spoken = "return document.getElementById('seek').ariaValueText === document.getElementById('position').textContent"
    assert view.script(spoken)
    assert view.script("return document.getElementById('sounding').currentTime") > 0.3
    # a slider that was not touched has no focus; on an iPhone none has
    seek = "const seek = document.getElementById('seek'); seek.value = 1.5; seek.dispatchEvent(new Event('input'));"
    view.script(seek)
    until(lambda: view.script("return tape.on"), "it plays on")
    assert view.script("return position()") >= 1.5
    view.press("listen")
    assert not view.script("return tape.on")
    length, head = view.driver.execute_async_script(FETCH, "/recording/001/capture.wav")
    assert head == "RIFF" and length > 4 * 48_000
    assert view.driver.execute_async_script(FETCH, "/recording/001/sent.mid")[1] == "MThd"
    view.press("delete")
    view.says("delete", "again")
    # the first press was meant for the recording that was open
    view.script("window.before = tape.hands.context")
    view.all("#tapes button")[0].click()
    view.says("delete", "Delete")
    until(lambda: view.script("return window.before.state") == "closed", "the sound of the one before is over")
    # another phone has deleted it, and a new recording has its number
    view.script("tape.began = 'before'")
    view.shown("tape", False)
    view.all("#tapes button")[0].click()
    view.press("delete")
    view.says("delete", "again")
    view.press("delete")
    view.says("tapes", "no recording")
    assert not list(Path(site.state / "recordings").iterdir())


def test_the_box_shows_its_models_their_card_its_version_and_its_log(site: DemoSite, page: Chromium) -> None:
    page.script("location.hash = 'system'")
    until(lambda: page.all("#slots li"), "the slots are listed")
    page.says("slots", "plays now")
    page.says("version", "lefthand 0.")
    page.says("log", "listening to right-hand.flac")
    page.all("summary")[0].click()
    page.says("card", "transcriber")
    # this page was not installed as a service, so it may not switch the machine off
    assert not page.at("power").is_displayed()


ASKS_ANSWERED = """
window.asked = [];
const real = window.fetch;
window.fetch = (path, how) => {
  if (path !== "/power" && path !== "/rollback") return real(path, how);
  const posted = how && how.method === "POST", over = window.asked.length > 0;
  if (posted) window.asked.push(path + how.body);
  return Promise.resolve(new Response(JSON.stringify(posted ? {ok: true} : {ok: true, over, text: "plays again"})));
};
"""
TOUCHED = """
return arguments[0].map((id) => {
  document.getElementById(id).click();
  return document.getElementById(id).textContent;
});
"""
"""Touches buttons, one after the other, and returns the text of each after its touch."""


def test_one_wrong_touch_neither_restarts_the_box_nor_shuts_it_down(page: Chromium) -> None:
    """The page of a service asks for a second press. Here the answers of `/power` come from the test."""
    page.script(ASKS_ANSWERED)
    page.script("location.hash = 'system'")
    page.shown("power")
    texts = page.script(TOUCHED, ["off", "restart", "off", "restart"])
    assert all("again" in text for text in texts), texts
    # the view was left and opened again
    page.script("location.hash = 'play'")
    page.shown("play")
    page.script("location.hash = 'system'")
    page.shown("power")
    assert page.script("return window.asked") == []
    first, second = page.script(TOUCHED, ["off", "off"])
    assert "again" in first and second == "Shut the box down"
    page.says("power-says", "does it now")
    assert page.script("return window.asked") == ['/power{"power":"off"}']


def test_the_models_before_come_back_at_the_second_press_and_the_page_says_so(page: Chromium) -> None:
    """As on a box with a service. Here the answers of `/rollback` come from the test."""
    page.script(ASKS_ANSWERED)
    page.script("location.hash = 'system'")
    page.shown("rollback")
    (first,) = page.script(TOUCHED, ["rollback"])
    assert "again" in first and page.script("return window.asked") == []
    page.script(TOUCHED, ["rollback", "rollback"])
    page.says("rollback-says", "plays again")
    assert page.script("return window.asked") == ['/rollback{"rollback":true}']
    until(lambda: page.at("rollback").is_enabled(), "it can be pressed once more")
