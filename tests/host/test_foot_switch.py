"""A foot switch on a separate port, beside a keyboard that plays: `[midi] control` and `[controls]`."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from rig import Ensemble, down_after

SETTINGS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "keys in"
control = "foot out"
[clock]
mode = "fixed"
tempo = 150
[play]
style = "arpeggio"
[controls]
arm = "note 20"
style_bass = "note 21"
panic = "note 24"
"""

BEAT_S = 0.4
PHRASE = [72, 74, 76, 79, 77, 76, 74, 72, 71, 72, 74, 67, 69, 71, 72, 76]
SOON_S = 0.15
"""Limit in seconds for a press of the switch, which is handled at the end of a hop, on an idle machine."""


@dataclass
class Take:
    """Monotonic times of the switch's presses, and the messages that the keyboard received."""

    pressed: dict[str, float]
    received: list[tuple[float, str, int, int]]
    soon_s: float
    """Return the seconds in which a press must take effect on this machine."""

    def strikes(self, after: str, before: str) -> list[float]:
        """Return the times of the keys struck between two presses."""
        first_s, last_s = self.pressed[after], self.pressed[before]
        return [at for at, kind, *_ in self.received if kind == "note_on" and first_s + self.soon_s <= at < last_s]


@pytest.fixture(scope="module")
def take(jack: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Take:
    """Play the same phrase several times, with a press before each."""
    folder = tmp_path_factory.mktemp("foot")
    (folder / "lefthand.toml").write_text(SETTINGS)
    with Ensemble(jack) as ensemble:
        return _take(ensemble, folder)


def _take(ensemble: Ensemble, folder: Path) -> Take:
    keys, foot = ensemble.instrument("keys"), ensemble.instrument("foot")
    run = ensemble.box("run", "--config", str(folder / "lefthand.toml"))
    run.wait_for("listening to keys")
    bare = ensemble.bare()
    pressed = {"": time.monotonic()}

    def play(phrase: list[int]) -> None:
        keys.play(
            [
                (i * BEAT_S / 2 + at, kind, pitch, 80 if kind == "note_on" else 0)
                for i, pitch in enumerate(phrase)
                for at, kind in ((0.0, "note_on"), (BEAT_S / 2 - 0.03, "note_off"))
            ]
        )

    for name, key in (("begin", 0), ("off", 20), ("on", 20), ("bass", 21), ("panic", 24)):
        if name == "panic":
            # press while keys are down
            for first in range(0, len(PHRASE), 3):
                play(PHRASE[first : first + 3])
                if down_after(keys.received):
                    break
        if key:
            pressed[name] = time.monotonic()
            foot.play([(0.0, "note_on", key, 100), (0.0, "note_off", key, 0)])
        play(PHRASE)
    pressed["end"] = time.monotonic()
    assert run.end(signal.SIGINT) == 0, run.text
    return Take(pressed, keys.received, SOON_S + bare.slack_s())


def test_it_plays_before_it_is_switched_off_and_when_it_is_on_again(take: Take) -> None:
    assert take.strikes("", "off") and take.strikes("on", "bass")


def test_switched_off_it_is_silent(take: Take) -> None:
    assert not take.strikes("off", "on")


def test_another_style_is_heard(take: Take) -> None:
    broken, bass = take.strikes("on", "bass"), take.strikes("bass", "panic")
    assert 0 < len(bass) < len(broken)


def test_panic_lets_go_of_keys_and_pedal_and_listens_again(take: Take) -> None:
    pressed_s = take.pressed["panic"]
    assert down_after([message for message in take.received if message[0] < pressed_s]), "nothing was to be let go"
    until_then = [message for message in take.received if message[0] <= pressed_s + take.soon_s]
    assert not down_after(until_then)
    assert [value for _, kind, number, value in until_then if (kind, number) == ("control_change", 64)][-1] == 0
    assert take.strikes("panic", "end")[0] > pressed_s + 3 * BEAT_S


def test_the_pedal_was_used_and_is_up_in_the_end(take: Take) -> None:
    pedal = [value for _, kind, number, value in take.received if kind == "control_change" and number == 64]
    assert 127 in pedal and pedal[-1] == 0
