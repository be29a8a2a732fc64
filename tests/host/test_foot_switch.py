"""A foot switch on a separate port, beside a keyboard that plays: `[midi] control` and `[controls]`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from rig import GRACE_S, PATIENCE_S, Instrument, Service, down_after, until
from scenes import BEAT_S, Gesture, Start, struck

from tests.pace import in_time

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

EIGHTH_S = BEAT_S / 2
PHRASE = [72, 74, 76, 79, 77, 76, 74, 72]
SOON_S = 0.15
"""Limit in seconds for a press of the switch, which is handled at the end of a hop, on an idle machine."""
ENOUGH = 12
"""Number of keys that the box strikes in a style before the style is judged."""


@dataclass
class Duo:
    """A box, a keyboard that both plays and receives, and the switch."""

    box: Service
    keys: Instrument
    foot: Instrument

    def phrase(self) -> None:
        """Play eighths for two bars."""
        gestures = [
            (i * EIGHTH_S + at_s, kind, pitch, 80 if kind == "note_on" else 0)
            for i, pitch in enumerate(PHRASE)
            for at_s, kind in ((0.0, "note_on"), (EIGHTH_S - 0.03, "note_off"))
        ]
        self.keys.play([*gestures, (len(PHRASE) * EIGHTH_S, "note_off", PHRASE[0], 0)])

    def until(self, holds: Callable[[list[Gesture]], object], what: str) -> None:
        """Play phrases until `holds` is true for what the keyboard has received."""

        def plays() -> object:
            self.phrase()
            return holds(self.keys.received)

        until(plays, PATIENCE_S, what)

    def press(self, key: int) -> float:
        """Press the switch and return the monotonic seconds of the press."""
        pressed_s = time.monotonic()
        self.foot.play([(0.0, "note_on", key, 100), (0.0, "note_off", key, 0)])
        return pressed_s

    def strikes(self, since_s: float = 0.0) -> list[float]:
        """Return the times of the keys struck since the given time, both in monotonic seconds."""
        return [at_s for at_s, kind, *_ in self.keys.received if kind == "note_on" and at_s > since_s]


@pytest.fixture
def duo(service: Start, instrument: Callable[..., Instrument]) -> Duo:
    keys, foot = instrument("keys"), instrument("foot")
    box = service(SETTINGS)
    until(lambda: "without" not in box.status.message, GRACE_S, "the switch is there")
    box.wait_until("playing", "listening to keys")
    return Duo(box, keys, foot)


def test_switched_off_it_is_silent_and_switched_on_it_plays_again(duo: Duo) -> None:
    def armed(wanted: bool) -> None:
        steering = lambda: duo.box.status.steering  # noqa: E731
        until(lambda: (now := steering()) is not None and now.armed is wanted, GRACE_S, f"armed is {wanted}")

    duo.until(struck, "it plays")
    duo.press(20)
    armed(False)
    until(lambda: not down_after(duo.keys.received), GRACE_S, "silence")
    before = struck(duo.keys.received)
    for _ in range(2):
        duo.phrase()
    assert struck(duo.keys.received) == before
    duo.press(20)
    armed(True)
    duo.until(lambda received: struck(received) > before, "it plays again")


def test_another_style_is_heard(duo: Duo) -> None:
    def gap_s() -> float:
        """Return the usual time between two strikes from now on. Keys that are struck together count once."""
        since_s = time.monotonic()
        duo.until(lambda _: len(duo.strikes(since_s)) > ENOUGH, "strikes")
        gaps_s = np.diff(duo.strikes(since_s))
        return float(np.median(gaps_s[gaps_s > EIGHTH_S / 2]))

    broken_s = gap_s()
    duo.press(21)
    until(lambda: (now := duo.box.status.steering) is not None and now.style == "bass", GRACE_S, "the bass")
    assert gap_s() > 1.5 * broken_s


def test_panic_lets_go_of_keys_and_pedal_and_listens_again(duo: Duo) -> None:
    def pedals(received: list[Gesture]) -> list[int]:
        return [value for _, kind, number, value in received if kind == "control_change" and number == 64]

    duo.until(lambda received: down_after(received) and 127 in pedals(received), "keys are down, the pedal was used")
    pressed_s = duo.press(24)

    def rest() -> tuple[float, float] | None:
        """Return the strikes before and after the time in which the box listened to the player again."""
        strikes = [pressed_s, *duo.strikes(pressed_s)]
        # while it plays, this style strikes each eighth
        return next(((a, b) for a, b in zip(strikes, strikes[1:], strict=False) if b - a > 2 * BEAT_S), None)

    duo.until(lambda _: rest(), "it listens, and plays again")
    found = rest()
    assert found is not None
    last_s, next_s = found
    in_time("panic to the last strike", last_s - pressed_s, SOON_S)
    before = [message for message in duo.keys.received if message[0] < next_s]
    assert not down_after(before)
    assert pedals(before)[-1] == 0
