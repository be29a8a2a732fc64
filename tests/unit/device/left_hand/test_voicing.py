"""One left hand can play the voicing of every request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device.left_hand.voicing import LOWEST, MOST_KEYS, WIDEST, Fingers

CLASSES = st.integers(0, 11)
CEILINGS = st.integers(LOWEST - 5, 100)


class AnyHand(RuleBasedStateMachine):
    """A hand with arbitrary requests. `down` tracks the keys independently, from the hand's messages."""

    def __init__(self) -> None:
        super().__init__()
        self.hand = Fingers()
        self.down: set[int] = set()
        self.ceiling = 128

    @rule(pitch_class=CLASSES, ceiling=CEILINGS)
    def bass(self, pitch_class: int, ceiling: int) -> None:
        self.yielding(ceiling)
        key, lifted = self.hand.press_bass(pitch_class, ceiling)
        self.down -= set(lifted)
        if key is not None:
            assert key % 12 == pitch_class and key < ceiling
            self.down.add(key)

    @rule(classes=st.lists(CLASSES, unique=True, max_size=5), ceiling=CEILINGS)
    def upper(self, classes: list[int], ceiling: int) -> None:
        self.yielding(ceiling)
        keys, lifted = self.hand.press_upper(classes, ceiling)
        self.down -= set(lifted)
        assert all(key < ceiling and key % 12 in classes for key in keys)
        self.down |= set(keys)

    @rule(ceiling=CEILINGS)
    def yielding(self, ceiling: int) -> None:
        self.down -= set(self.hand.give_way(ceiling))
        self.ceiling = ceiling

    @precondition(lambda self: self.down)
    @rule()
    def lift_all(self) -> None:
        assert self.hand.let_go(self.hand.down) == sorted(self.down)
        self.down.clear()

    @invariant()
    def five_fingers_can_hold_it(self) -> None:
        assert self.hand.down == sorted(self.down)
        assert len(self.down) <= MOST_KEYS
        assert not self.down or max(self.down) - min(self.down) <= WIDEST

    @invariant()
    def it_stays_below_the_right_hand(self) -> None:
        assert all(key < self.ceiling for key in self.down)


TestAnyHand = AnyHand.TestCase


@given(st.lists(CLASSES, min_size=2, max_size=40))
def test_the_bass_moves_by_less_than_an_octave(classes: list[int]) -> None:
    hand = Fingers()
    keys = [hand.press_bass(pitch_class, 128)[0] for pitch_class in classes]
    moves = [abs(b - a) for a, b in zip(keys, keys[1:], strict=False) if a is not None and b is not None]
    assert max(moves) < 12


def test_a_right_hand_that_comes_down_is_given_way() -> None:
    hand = Fingers()
    hand.press_bass(0, 128)
    hand.press_upper([4, 7], 128)
    high = [key for key in hand.down if key >= 50]
    assert high
    assert hand.give_way(50) == high
    assert all(key < 50 for key in hand.down)


def test_without_room_below_the_right_hand_nothing_is_pressed() -> None:
    hand = Fingers()
    assert hand.press_bass(0, LOWEST) == (None, [])
    assert hand.press_upper([4, 7], LOWEST) == ([], [])


def test_a_tone_without_a_second_key_above_the_bass_takes_turns_with_the_bass() -> None:
    """The right hand leaves room for the fifth alone, so a broken chord strikes fifth and bass in turn."""
    fingers = Fingers()
    bass, _ = fingers.press_bass(3, 50)
    assert bass == 39
    struck = [fingers.press_tone((3, 7, 10), number, 50)[0] for number in (2, 1, 2, 1)]
    assert struck == [[46], [39], [46], [39]]
    assert fingers.down in ([39], [39, 46])
