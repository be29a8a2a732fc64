"""The left hand as it plays figures of the bank: keys struck, held for the figure's length, and let go."""

from __future__ import annotations

import numpy as np

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note, NoteEnded
from device.left_hand.accompanist import Plan
from device.left_hand.figure_bank import FigureBank
from device.left_hand.figure_player import FigurePlayer, parts_of
from device.left_hand.figure_voicing import LOWEST, MOST_KEYS, WIDEST, Ground, base_of, keys_of
from device.left_hand.progression import fits_of
from device.left_hand.right_hand import RightHand
from device.left_hand.voicing import Fingers

THIN_LOCK, LOST_LOCK = 0.6, 0.3
"""Below the first nothing is struck off the beat, below the second only the bass of a bar."""

RUBS, HARSH = (1, 11), (2, 6, 10)
"""Semitones below the melody's highest key, without octaves, that clash, and that sound harsh."""
RUB_STEPS, HARSH_STEPS = 1, 3
"""Steps after its strike at which a key that clashes, or sounds harsh, is released under a melody that was heard."""


class FigureHand:
    """Turns figures into keys of `hand`, whose ledger it shares with the styles by name."""

    def __init__(self, bank: FigureBank, hand: Fingers, seed: int = 0) -> None:
        self._hand = hand
        self.right = RightHand()
        self._player = FigurePlayer(bank, seed)
        self.reset()

    def reset(self) -> None:
        """Nothing was heard or played."""
        self.right.reset()
        self._player.reset()
        self.silence()

    def silence(self) -> None:
        """No key of a figure is down."""
        self._until: dict[int, int] = {}
        self._struck_at: dict[int, int] = {}
        self._sounded: set[int] = set()
        self._base: int | None = None
        self._last_base: int | None = None
        self._player.pause()

    def has(self, meter: Meter) -> bool:
        """Whether there are figures for a metre."""
        return bool(parts_of(meter.steps_per_bar, meter.steps_per_beat))

    def hear(self, note: Note) -> None:
        """A note of the right hand was decided."""
        self.right.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """A note of the right hand ended."""
        self.right.end(ended)

    def listen(self, step: Step, until_s: float) -> None:
        """Take in what was decided by `until_s`; once a step, whether the hand plays or not."""
        self.right.at(step, until_s)

    def at(self, step: Step, plan: Plan, density: float) -> tuple[list[int], list[int]]:
        """Keys struck at `step`, and keys let go at it."""
        assert plan.chord is not None
        hand = self._hand
        lifted: list[int] = []
        for key in hand.down:
            over = key >= plan.ceiling or self._until.get(key, 0) <= step.index
            if over or self._wrong(key, plan.top, step.index):
                lifted.append(key)
        if lifted:
            hand.let_go(lifted)
        context = self.right.context(step) if step.is_bar or self._base is None else None
        struck = self._player.at(step, context, self.right.opening, density)
        if struck is None:
            return [], lifted
        if step.is_beat:
            self._sounded = {key % 12 for key in hand.down}
        notes = struck.notes
        begins = struck.begins_bar or self._base is None
        if not (notes or begins):
            return [], lifted
        likely = np.sqrt(np.maximum(plan.classes * fits_of(plan.triads), 0.0))
        top = None if step.is_beat else plan.top
        sounded = frozenset(self._sounded)
        ground = Ground(plan.chord.classes, likely, plan.consonance, top, plan.ceiling, sounded, plan.bass)
        low = LOWEST + hand.register
        if begins or self._base is None:
            degree = notes[0].degree if notes else 0
            self._base = base_of(struck, degree, self._last_base, ground, hand.register)
            self._last_base = self._base
        if plan.lock < LOST_LOCK:
            notes = notes[:1] if step.is_bar else ()
        elif plan.lock < THIN_LOCK and not step.is_beat:
            notes = ()
        if not notes:
            return [], lifted
        keys = keys_of(notes, self._base, ground, low)
        if not keys:
            return [], lifted
        lifted += hand.let_go(_in_the_way(hand.down, sorted(keys)))
        hand.press(sorted(keys))
        if not hand.reaches(step.time_s):
            hand.let_go(list(keys))
            return [], lifted
        for key, length in keys.items():
            self._until[key] = step.index + length
            self._struck_at[key] = step.index
            self._sounded.add(key % 12)
        return sorted(keys), lifted

    def _wrong(self, key: int, top: int | None, now: int) -> bool:
        """Whether a key that is down has to give way to the melody's highest key."""
        if top is None:
            return False
        interval = (top - key) % 12
        age = now - self._struck_at.get(key, now)
        return (interval in RUBS and age >= RUB_STEPS) or (interval in HARSH and age >= HARSH_STEPS)


def _in_the_way(down: list[int], keys: list[int]) -> list[int]:
    """Keys that have to be let go so that one hand can strike `keys`: struck again, out of reach, or too many."""
    gone = [key for key in down if key in keys or max(keys) - key > WIDEST or key - min(keys) > WIDEST]
    stay = [key for key in down if key not in gone]
    while stay and len(stay) + len(keys) > MOST_KEYS:
        gone.append(stay.pop(0))
    while stay and max([*stay, *keys]) - min([*stay, *keys]) > WIDEST:
        gone.append(stay.pop(0))
    return gone
