"""The left hand as the engine plays it: plans made into strikes."""

from __future__ import annotations

from device.accompanist import Accompanist, Plan
from device.clock import Step
from device.hand import Hand
from device.performer import Strike
from device.texture import Texture, Touch
from device.types import Note, NoteEnded

UNDER_PLAYER = 0.78
"""The left hand's velocity as a share of the player's running mean."""
BAR_ACCENT, BEAT_ACCENT = 1.12, 1.05
SOFTEST = 12
UNLIKELY = 0.12
"""A key whose pitch class has become less likely than this is let go."""
RESTS = 0.6
"""The hand lifts where a rest is this likely."""
SAME_AGAIN = 0.6
"""What repeating the upper note just played costs, as a factor."""
ROOT_BASS = 1.3
"""What being the root is worth to a bass note, as a factor."""
RUBBING = 0.1
"""The same for a note a semitone from what the player holds."""


class LeftHand:
    """Hears the right hand, and says step by step which keys to strike and which to let go."""

    def __init__(self, accompanist: Accompanist, density: float = 1.0) -> None:
        self._accompanist, self._texture, self._hand = accompanist, Texture(density), Hand()
        self.reset()

    def reset(self) -> None:
        """Forget everything; what is still down is the performer's to let go."""
        self._accompanist.reset()
        self._texture.reset()
        self._hand.reset()
        self._label: str | None = None
        self._last_upper = -1

    def hear(self, note: Note) -> None:
        """A right-hand note was decided."""
        self._accompanist.hear(note)

    def end(self, ended: NoteEnded) -> None:
        """A right-hand note ended."""
        self._accompanist.end(ended)

    def play(self, step: Step) -> tuple[str | None, list[Strike], list[int] | None]:
        """For this step: a new chord's label or None, keys to strike, and keys to let go at it (None: all)."""
        plan = self._accompanist.plan(step)
        strikes, let_go = self.strikes(plan, step)
        if plan.silent or plan.chord is None:
            return None, [], let_go
        new = plan.chord.name if plan.chord.name != self._label else None
        self._label = plan.chord.name
        return new, strikes, let_go

    def strikes(self, plan: Plan, step: Step) -> tuple[list[Strike], list[int]]:
        """The keys that a plan strikes, held until let go, and the keys that it lets go."""
        touch = self._texture.step(plan, step)
        if plan.silent or plan.chord is None:
            self._label = None
            return [], self._hand.let_go(self._hand.down)
        lifted = self._hand.give_way(plan.ceiling) + self._hand.let_go(self._doubtful(plan))
        pressed: list[int] = []
        if touch.bass:
            key, gone = self._hand.press_bass(self._bass_class(plan), plan.ceiling)
            lifted += gone
            pressed += [] if key is None else [key]
        if touch.upper:
            keys, gone = self._hand.press_upper(self._upper_classes(plan, touch), plan.ceiling)
            lifted += gone
            pressed += keys
            self._last_upper = keys[0] % 12 if keys else -1
        velocity = self._velocity(plan, step)
        strikes = [Strike(step.time_s, key, velocity, None) for key in sorted(set(pressed))]
        return strikes, sorted(set(lifted) - set(pressed))

    def _doubtful(self, plan: Plan) -> list[int]:
        if plan.bass[12] >= RESTS:
            return self._hand.down
        return [key for key in self._hand.down if plan.classes[key % 12] < UNLIKELY or _rubs(plan.top, key)]

    def _bass_class(self, plan: Plan) -> int:
        assert plan.chord is not None
        root = plan.chord.root
        return max(plan.chord.classes, key=lambda pc: float(plan.bass[pc]) * (ROOT_BASS if pc == root else 1.0))

    def _upper_classes(self, plan: Plan, touch: Touch) -> list[int]:
        assert plan.chord is not None

        def worth(pitch_class: int) -> float:
            likely = float(plan.classes[pitch_class])
            if pitch_class == self._last_upper:
                likely *= SAME_AGAIN
            if _rubs(plan.top, pitch_class):
                likely *= RUBBING
            return likely

        return sorted(plan.chord.classes, key=worth, reverse=True)[: touch.upper]

    @staticmethod
    def _velocity(plan: Plan, step: Step) -> int:
        accent = BAR_ACCENT if step.is_bar else BEAT_ACCENT if step.is_beat else 1.0
        loudest = max(SOFTEST, int(plan.velocity) - 1)
        return min(max(round(plan.velocity * UNDER_PLAYER * accent), SOFTEST), loudest, 127)


def _rubs(top: int | None, pitch: int) -> bool:
    """Whether a pitch lies a semitone, by pitch class, from the right hand's highest key."""
    return top is not None and (top - pitch) % 12 in (1, 11)
