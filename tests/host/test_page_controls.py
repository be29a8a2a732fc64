"""A service on a JACK server: what the controls of the page, and its orders, do to the messages at the ports."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rig import GRACE_S, HERE, PATIENCE_S, Box, Instrument, Process, Service, down_after, measured, until
from scenes import BEAT_S, DISTURBED, Playing, Start, struck

from device.calibration.latency import FILE
from device.page.access import secret_of
from tests.pace import TIMED

sys.path.append(str(HERE.parent / "browser"))

if TYPE_CHECKING:
    from chromium import Chromium

SETTINGS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "synth in"
[clock]
mode = "fixed"
tempo = 150
"""
BAR = [
    (i * BEAT_S + at_s, kind, key, 80 if kind == "note_on" else 0)
    for i, key in enumerate((72, 76, 79, 76))
    for at_s, kind in ((0.0, "note_on"), (0.8 * BEAT_S, "note_off"))
]
"""A bar of the right hand."""
ARRANGER_STYLES = ("waltz", "ballad", "march", "swing", "alberti", "stride", "pad", "tango")
SIXTEENTH_S = BEAT_S / 4
APART_S = 1.5
"""Seconds between two presses of a foot. A release that comes more than a second after the press is another press."""
EARLY_S = 0.02
"""A frame of the screen, and the millisecond to which browsers round their clocks."""
NOTES = 24
"""Notes of the right hand whose way to the screen is timed."""
TAPS = """
for (let i = 0; i < 4; i++) setTimeout(() => document.getElementById('tap').click(), 100 + i * 500)
"""
TAPPED_S = 2.5
"""Seconds after which the page has tapped four times, and the status says it."""
STRIKES_A_BAR = 8
"""Number of strikes of the march in a bar."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    from chromium import Chromium

    with Chromium() as chromium:
        chromium.size(390, 844, phone=True)
        yield chromium


@pytest.fixture
def opened(jack: dict[str, str], browser: Chromium, service: Start, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a service with these settings, and opens its page in the browser."""
    pages: list[Process] = []

    def start(settings: str, view: str = "play") -> Service:
        from demo_site import free_port

        box = service(settings)
        box.wait_until("playing")
        port = free_port()
        folders = {"RUNTIME_DIRECTORY": str(box.run_dir), "STATE_DIRECTORY": str(tmp_path / "state")}
        command = [sys.executable, "-m", "device.cli", "page", "--port", str(port)]
        pages.append(Box(command, {**jack, **folders}, ready="The page is at"))
        browser.open(f"http://localhost:{port}/#{view}", secret_of(tmp_path / "state").cookie, view)
        browser.shown("away", False)
        return box

    yield start
    for page in pages:
        page.close()


def test_the_controls_of_the_playing_view_change_what_is_played(
    opened: Callable[..., Service], instrument: Callable[..., Instrument], browser: Chromium
) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = opened(SETTINGS)
    with Playing(keys, BAR):
        _control(browser, box, synth)
    # a new count-in is tapped, where the box follows the player
    browser.script("location.hash = 'setup'")
    browser.shown("setup")
    until(lambda: browser.at("clock").get_attribute("value") == "fixed", GRACE_S, "the settings are shown")
    change = "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
    change += "field.dispatchEvent(new Event('input', {bubbles: true}))"
    browser.script(change, "clock", "follow")
    browser.script(change, "clock-tempo", "")
    browser.press("use")
    browser.says("used", "Stored")
    browser.script("location.hash = 'play'")
    browser.shown("play")
    browser.press("count")
    until(lambda: box.status.steering is not None and box.status.steering.counting_in, GRACE_S, "a count-in")
    browser.says("message", "count-in")

    def taps_count() -> bool:
        # a browser that stops for a moment taps too unevenly for a count-in
        browser.script(TAPS)
        time.sleep(TAPPED_S)
        return box.status.steering is not None and not box.status.steering.counting_in

    until(taps_count, PATIENCE_S, "the taps count")
    for on in (True, False):
        browser.press("tempo-hold")
        until(lambda on=on: box.status.steering is not None and box.status.steering.tempo_held is on, GRACE_S, "held")


def _control(browser: Chromium, box: Service, synth: Instrument) -> None:
    """Use each control while a right hand plays."""

    def steering(name: str, value: object) -> None:
        until(lambda: box.status.steering is not None and getattr(box.status.steering, name) == value, GRACE_S, name)

    def plays_on() -> None:
        before = struck(synth.received)
        until(lambda: struck(synth.received) > before, GRACE_S, "a note")

    def times() -> list[float]:
        return [at_s for at_s, kind, *_ in synth.received if kind == "note_on"]

    plays_on()
    for style in ARRANGER_STYLES:
        browser.choose("style", style)
        steering("style", style)
        plays_on()
    # a fill strikes at places in the bar at which the style itself strikes nothing
    browser.choose("style", "march")
    steering("style", "march")
    plays_on()

    def bars(count: int) -> list[float]:
        """Return the times of the next strikes: as many as the march has in `count` bars."""
        begun = len(times())
        until(lambda: len(times()) >= begun + count * STRIKES_A_BAR, GRACE_S, f"{count} bars of the march")
        return times()[begun:]

    bars(1)

    def is_filled() -> bool:
        usual = bars(4)
        places = Counter(place(at_s, usual[0]) for at_s in usual)
        browser.press("fill")
        # a strike that a busy machine delayed is alone at its place
        return any(places[place(at_s, usual[0])] < 2 for at_s in bars(3))

    until(is_filled, PATIENCE_S, "a fill")
    browser.press("variation")
    steering("variation", 2)
    browser.says("variation", "2")
    browser.press("variation")
    steering("variation", 1)
    for density in ("0.5", "2", "1"):
        browser.choose("density", density)
        steering("density", float(density))
    lowest = min(key for _, kind, key, _ in synth.received if kind == "note_on")
    browser.choose("register", "-12")
    steering("register", -12)
    until(lambda: any(key < lowest for _, kind, key, _ in synth.received if kind == "note_on"), GRACE_S, "lower keys")
    browser.choose("register", "0")
    steering("register", 0)
    for on in (True, False):
        browser.press("hold")
        steering("hold", on)
    browser.press("ending")
    steering("armed", False)
    browser.says("arm", "off")
    until(lambda: not down_after(synth.received), GRACE_S, "the last chord ends")
    browser.press("arm")
    plays_on()
    browser.press("panic")
    until(lambda: not down_after(synth.received), GRACE_S, "silence")


def place(at_s: float, origin_s: float) -> int:
    """Return the sixteenth of the bar, from the beat at `origin_s`."""
    return round((at_s - origin_s) / SIXTEENTH_S) % 16


def test_a_note_tries_an_output_and_a_foot_switch_is_learnt_by_pressing_it(
    opened: Callable[..., Service], instrument: Callable[..., Instrument], browser: Chromium
) -> None:
    from chromium import Chromium

    synth, other, foot = instrument("synth"), instrument("other"), instrument("foot")
    instrument("keys")
    box = opened(SETTINGS, "setup")
    # the session has the port of the settings, and another process opens any other port
    for name, receiver in (("synth in", synth), ("other in", other)):
        browser.says("outputs", name)
        next(label for label in browser.all("#outputs label") if name in label.text).click()
        browser.press("note")
        until(lambda receiver=receiver: struck(receiver.received) == 1, GRACE_S, f"a note on {name}")
        until(lambda receiver=receiver: not down_after(receiver.received), GRACE_S, "its end")
        browser.says("note-says", "was sent")
    browser.press("learn")
    browser.says("learn-says", "Press the switch")

    def pressed(holds: Callable[[], bool]) -> bool:
        # the process that waits for the press, or a new session, opens the port a moment later
        foot.play([(0.0, "control_change", 80, 127), (0.02, "control_change", 80, 0)])
        time.sleep(APART_S)
        return holds()

    def armed() -> bool | None:
        steering = box.status.steering
        return None if steering is None else steering.armed

    learnt = lambda: box.status.errand is not None and box.status.errand.state == "done"  # noqa: E731
    until(lambda: pressed(learnt), GRACE_S, lambda: f"the switch is learnt: {box.status.errand}")
    browser.says("learn-says", "cc 80")
    browser.says("switched", "Playing on and off: cc 80")
    stored = json.loads((box.folder / "state" / "changes.json").read_text())["files"][str(box.settings)]
    kept = {f"{change['section']}.{change['key']}": change["value"] for change in stored}
    assert kept["controls.arm"].startswith("cc 80") and "foot" in kept["midi.control"]
    box.wait_until("playing")
    # two phones and the switch: the last one wins, and all follow
    browser.script("location.hash = 'play'")
    with Chromium() as phone:
        phone.size(390, 844, phone=True)
        phone.open(browser.driver.current_url.split("#")[0], secret_of(box.folder / "state").cookie)
        until(lambda: pressed(lambda: armed() is False), GRACE_S, lambda: f"the switch works: {box.status}")
        for view in (browser, phone):
            view.says("arm", "off")
        for view, follows in ((browser, phone), (phone, browser)):
            view.press("arm")
            until(lambda: armed() is True, GRACE_S, "armed by a phone")
            follows.says("arm", "on")
            if view is browser:
                until(lambda: pressed(lambda: armed() is False), GRACE_S, "disarmed by the switch")
                follows.says("arm", "off")


def test_ports_that_vanish_and_come_back_are_followed_by_an_open_page(
    opened: Callable[..., Service], instrument: Callable[..., Instrument], browser: Chromium
) -> None:
    synth, keys, other = instrument("synth"), instrument("keys"), instrument("other")
    box = opened(SETTINGS, "setup")

    def listed(name: str, there: bool) -> None:
        # one call, because a label may go between two
        texts = "return [...document.querySelectorAll('#ports .list label')].map((label) => label.textContent).join()"
        until(lambda: (name in browser.script(texts)) == there, GRACE_S, f"{name} is {'' if there else 'not '}listed")

    for name in ("keys out", "other out", "synth in", "other in"):
        listed(name, True)
    # a port that the box does not use
    other.close()
    listed("other out", False)
    listed("other in", False)
    instrument("other")
    listed("other out", True)
    # the port that the left hand plays on: the box waits, says so, and takes it back
    synth.close()
    box.wait_until("waiting")
    listed("synth in", False)
    browser.script("location.hash = 'play'")
    browser.says("message", "synth in")
    # while the box waits, the inputs are open, and what arrives is seen
    browser.script("location.hash = 'setup'")
    seen = "return document.querySelector('#inputs label[data-value*=\"keys out\"] .lamp.on') !== null"

    def arrives() -> bool:
        keys.play([(0.0, "note_on", 60, 80), (0.1, "note_off", 60, 0)])
        return bool(browser.script(seen))

    until(arrives, GRACE_S, "the lamp of the keyboard")
    again = instrument("synth")
    box.wait_until("playing")
    browser.script("location.hash = 'play'")
    browser.says("message", "playing on synth in")
    with Playing(keys, BAR):
        until(lambda: struck(again.received) > 0, GRACE_S, "a note of the left hand")


def test_a_calibration_takes_the_ports_of_a_box_that_plays_and_gives_them_back(
    opened: Callable[..., Service], begin: Callable[..., Process], browser: Chromium
) -> None:
    begin(str(HERE / "sounding.py"), "piano", "150").wait_for("ready")
    box = opened('[audio]\ninput = "piano"\n[midi]\noutput = "piano"\n', "setup")
    # the page is asked in the view, and shows the notes that are played
    browser.press("calibrate")
    box.wait_until("waiting", "calibrating")
    progress = "const bar = document.getElementById('calibrated'); return bar.hidden ? 0 : bar.value"
    until(lambda: browser.script(progress) >= 1, GRACE_S, "the progress is shown")
    until(lambda: box.status.errand is not None and box.status.errand.state != "running", GRACE_S, "its end")
    box.wait_until("playing")
    errand = box.status.errand
    assert errand is not None
    if any(words in errand.text for words in DISTURBED):
        assert not (box.folder / "state" / FILE).exists()
        browser.says("calibration-says", "did not work")
        return
    assert errand.state == "done" and "MIDI: a note is heard" in errand.text
    browser.says("calibration-says", "a note is heard")
    kept = json.loads((box.folder / "state" / FILE).read_text())
    assert 100 < kept["round_trip_ms"] < 300
    # the owner ends another one, and the box plays again
    browser.press("calibrate")
    box.wait_until("waiting", "calibrating")
    browser.says("calibrate", "End")
    browser.press("calibrate")
    box.wait_until("playing")
    browser.says("calibration-says", "it was ended")


def test_every_note_reaches_the_screen(
    opened: Callable[..., Service], instrument: Callable[..., Instrument], browser: Chromium
) -> None:
    """How long it takes depends on the machine: it is printed, and `python -m tests.browser.latency` judges it."""
    from latency import LOWEST, WATCH

    synth, keys = instrument("synth"), instrument("keys")
    opened(SETTINGS)
    # each pitch once, so that each first drawing of a key belongs to one note
    pitches = [60 + i for i in range(NOTES)]
    gestures = [
        (i * BEAT_S / 2 + at_s, kind, pitch, 80)
        for i, pitch in enumerate(pitches)
        for at_s, kind in ((0.0, "note_on"), (0.4 * BEAT_S, "note_off"))
    ]
    with Playing(keys, BAR):
        until(lambda: struck(synth.received), GRACE_S, "the left hand plays")
    browser.script(WATCH)
    since_s, to_wall_s = time.monotonic(), time.time() - time.monotonic()
    sent = dict(zip(pitches, keys.play(gestures)[::2], strict=True))

    def drawn_s(kind: str) -> dict[int, float]:
        """Return the monotonic seconds at which each key was last drawn, by pitch."""
        found = browser.script("return window.drawn")
        return {
            int(slot.removeprefix(kind)) + LOWEST: at_ms / 1000 - to_wall_s
            for slot, at_ms in found.items()
            if slot.startswith(kind)
        }

    until(lambda: set(pitches) <= set(drawn_s("heard")), GRACE_S, "all notes that were heard")
    struck_once = {key for at_s, kind, key, _ in synth.received if kind == "note_on" and at_s > since_s}
    until(lambda: struck_once <= set(drawn_s("played")), GRACE_S, "all keys of the left hand")
    late_s = {"heard": [drawn_s("heard")[pitch] - at_s for pitch, at_s in sent.items()], "played": []}
    early = 0
    for pitch, at_s in drawn_s("played").items():
        before = [m[0] for m in synth.received if m[1:3] == ("note_on", pitch) and m[0] < at_s + EARLY_S]
        early += not before
        late_s["played"] += [at_s - before[-1]] if before else []
    # an instrument that a busy machine stops for a moment dates single strikes too late
    assert early <= (0 if TIMED else len(struck_once) // 2), "keys are drawn before they are struck"
    for kind, late in late_s.items():
        if late:
            p95_s = sorted(late)[int(0.95 * (len(late) - 1))]
            measured(f"{kind}: from the MIDI port to the screen, 95 % of {len(late)} notes within", p95_s)


def test_a_right_hand_that_came_by_midi_is_recorded_and_rendered(
    opened: Callable[..., Service], instrument: Callable[..., Instrument], browser: Chromium
) -> None:
    synth, keys = instrument("synth"), instrument("keys")
    box = opened(SETTINGS, "recordings")
    browser.press("record")
    until(lambda: box.status.recording == "001" and box.status.state == "playing", GRACE_S, "it records")
    before = struck(synth.received)
    with Playing(keys, BAR):
        until(lambda: struck(synth.received) > before + 8, GRACE_S, "the left hand plays into it")
    browser.press("record")
    until(lambda: box.status.recording is None, GRACE_S, "it does not record")
    until(lambda: browser.all("#tapes button"), GRACE_S, "the recording is listed")
    browser.all("#tapes button")[0].click()
    browser.says("tape-says", "played by the box")
    hands = "return [tape.sound, tape.heard.length > 3, tape.played.length > 3, tape.beats.length > 3]"
    assert browser.script(hands) == [False, True, True, True]
    # the browser renders both hands, which costs the box nothing
    browser.press("listen")
    until(lambda: browser.script("return position() > 0.5 && tape.hands.next > 0"), GRACE_S, "it sounds")
    browser.press("listen")
