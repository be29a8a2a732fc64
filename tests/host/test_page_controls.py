"""A service on a JACK server: what the controls of the page, and its orders, do to the messages at the ports."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rig import GRACE_S, HERE, Box, Instrument, Process, Service, down_after, until
from scenes import Start, struck

from device.calibration.latency import FILE
from device.control.client import ControlClient
from device.page.access import secret_of

sys.path.append(str(HERE.parent / "browser"))

if TYPE_CHECKING:
    from chromium import Chromium

BEAT_S = 0.4
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
ARRANGER_STYLES = ("waltz", "ballad", "march", "swing", "alberti", "stride", "pad")
SIXTEENTH_S = BEAT_S / 4
APART_S = 1.5
"""Seconds between two presses of a foot. A release that comes more than a second after the press is another press."""
LOST = ("Sound was lost", "too uncertain", "notes were heard")
"""Words of a calibration that a busy machine has disturbed."""


class Performance:
    """A right hand that plays the same bar again and again, in a thread of its own."""

    def __init__(self, keys: Instrument) -> None:
        self._keys, self._over = keys, threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def __enter__(self) -> Performance:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(GRACE_S)

    def _play(self) -> None:
        bar = [
            (i * BEAT_S + at_s, kind, key, 80 if kind == "note_on" else 0)
            for i, key in enumerate((72, 76, 79, 76))
            for at_s, kind in ((0.0, "note_on"), (0.8 * BEAT_S, "note_off"))
        ]
        bar.append((4 * BEAT_S, "note_off", 72, 0))
        while not self._over.is_set():
            self._keys.play(bar)


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
    with Performance(keys):
        _control(browser, box, synth)


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
    begun = len(times())
    until(lambda: len(times()) > begun + 24, GRACE_S, "three bars of the march")
    usual = times()[begun + 4 :]
    origin_s = usual[0]

    def places(of: list[float]) -> set[int]:
        return {round((at_s - origin_s) / SIXTEENTH_S) % 16 for at_s in of}

    browser.press("fill")
    until(lambda: places(times()[begun + 4 :]) - places(usual), GRACE_S, "a fill")
    browser.press("variation")
    steering("variation", 2)
    browser.says("variation", "2")
    browser.press("variation")
    steering("variation", 1)
    browser.press("ending")
    steering("armed", False)
    browser.says("arm", "off")
    until(lambda: not down_after(synth.received), GRACE_S, "the last chord ends")
    browser.press("arm")
    plays_on()
    browser.press("panic")
    until(lambda: not down_after(synth.received), GRACE_S, "silence")


def test_a_note_tries_an_output_and_a_foot_switch_is_learnt_by_pressing_it(
    service: Start, instrument: Callable[..., Instrument]
) -> None:
    synth, other, foot = instrument("synth"), instrument("other"), instrument("foot")
    instrument("keys")
    box = service(SETTINGS)
    box.wait_until("playing")
    # the session has the port of the settings, and another process opens any other port
    for name, receiver in (("", synth), ("other in", other)):
        asked(box, {"note": name})
        until(lambda receiver=receiver: struck(receiver.received) == 1, GRACE_S, f"a note on {name}")
        until(lambda receiver=receiver: not down_after(receiver.received), GRACE_S, "its end")
    asked(box, {"learn": "arm"})

    def pressed() -> bool:
        # the process that waits for the press opens the ports a moment later
        foot.play([(0.0, "control_change", 80, 127), (0.02, "control_change", 80, 0)])
        time.sleep(APART_S)
        errand = box.status.errand
        return errand is not None and errand.state == "done"

    until(pressed, GRACE_S, lambda: f"the switch is learnt: {box.status.errand}")
    stored = json.loads((box.folder / "state" / "changes.json").read_text())["files"][str(box.settings)]
    kept = {f"{change['section']}.{change['key']}": change["value"] for change in stored}
    assert kept["controls.arm"].startswith("cc 80") and "foot" in kept["midi.control"]
    box.wait_until("playing")

    def unarmed() -> bool:
        # a new session opens the port of the switch
        foot.play([(0.0, "control_change", 80, 127), (0.02, "control_change", 80, 0)])
        time.sleep(APART_S)
        status = box.status
        return status.steering is not None and not status.steering.armed

    until(unarmed, GRACE_S, lambda: f"the switch works: {box.status}")


def test_a_calibration_takes_the_ports_of_a_box_that_plays_and_gives_them_back(
    service: Start, begin: Callable[..., Process]
) -> None:
    begin(str(HERE / "sounding.py"), "piano", "150").wait_for("ready")
    box = service('[audio]\ninput = "piano"\n[midi]\noutput = "piano"\n')
    box.wait_until("playing")
    asked(box, {"calibrate": ""})
    box.wait_until("waiting", "calibrating")
    until(lambda: box.status.errand is not None and box.status.errand.done >= 1, GRACE_S, "notes are counted")
    until(lambda: box.status.errand is not None and box.status.errand.state != "running", GRACE_S, "its end")
    box.wait_until("playing")
    errand = box.status.errand
    assert errand is not None
    if any(words in errand.text for words in LOST):
        assert not (box.folder / "state" / FILE).exists()
        return
    assert errand.state == "done" and "MIDI: a note is heard" in errand.text
    kept = json.loads((box.folder / "state" / FILE).read_text())
    assert 100 < kept["round_trip_ms"] < 300
    # the owner ends another one, and the box plays again
    asked(box, {"calibrate": ""})
    box.wait_until("waiting", "calibrating")
    asked(box, {"calibrate": False})
    box.wait_until("playing")
    errand = box.status.errand
    assert errand is not None and errand.text == "it was ended"


def asked(box: Service, request: dict[str, object]) -> None:
    """Send a request to the box, as the page does."""
    with ControlClient(box.run_dir) as owner:
        assert owner.ask(request)["ok"]
