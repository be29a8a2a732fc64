"""Steps of a steady clock, a random tune, and what a left hand sends to it."""

from __future__ import annotations

import numpy as np

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, Send
from device.left_hand.performer import Performer
from device.left_hand.player import LeftHand


def grid(steps: int, meter: str = "4/4", step_s: float = 0.125, lock: float = 1.0) -> list[Step]:
    felt = Meter.parse(meter)
    return [Step(i, 1.0 + i * step_s, step_s, i % felt.steps_per_bar, felt, lock) for i in range(steps)]


def melody(steps: int, step_s: float, seed: int, low: int = 60) -> list[Note]:
    rng = np.random.default_rng(seed)
    places = [i for i in range(0, steps, 2) if i % 4 == 0 or rng.random() < 0.4]
    return [
        Note(1.0 + i * step_s, 1.0 + (i + 1.7) * step_s, int(rng.integers(low, 84)), 80, 1.0, 1.0 + i * step_s, "right")
        for i in places
    ]


def played(hand: LeftHand, notes: list[Note], steps: list[Step]) -> list[Send]:
    """Turn the messages into whole notes, each passed on when it is decided."""
    hand.reset()
    performer, sends, waiting = Performer(), list[Send](), sorted(notes, key=lambda n: n.decided_s)
    for step in steps:
        while waiting and waiting[0].decided_s <= step.plan_s:
            hand.hear(waiting.pop(0))
        move = hand.play(step)
        if move.pedal is not None:
            sends += performer.pedal(step.plan_s, step.time_s, move.pedal)
        sends += performer.release(step.plan_s, step.time_s, move.let_go)
        sends += performer.strike(step.plan_s, move.strikes)
    return sends + performer.finish(steps[-1].time_s + steps[-1].length_s)
