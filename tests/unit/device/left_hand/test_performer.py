"""The performer releases every key that it strikes."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.events import Send
from device.left_hand.performer import SHORTEST_NOTE_S, Performer, Strike

PITCHES = st.integers(48, 52)


def brief(sends: list[Send]) -> list[tuple[str, int, float]]:
    return [(send.kind, send.pitch, round(send.due_s, 6)) for send in sends]


def test_a_note_on_leaves_at_once_and_its_note_off_shortly_before_it_is_due() -> None:
    performer = Performer(lead_s=0.03)
    sends = performer.strike(1.0, [Strike(1.1, 48, 70, 1.5)])
    assert sends == [Send(due_s=1.1, sent_s=1.0, kind="note_on", pitch=48, velocity=70)]
    assert performer.advance(1.4) == []
    assert performer.held == {48}
    assert brief(performer.advance(1.48)) == [("note_off", 48, 1.5)]
    assert not performer.held


def test_a_key_struck_again_is_let_go_first() -> None:
    performer = Performer()
    performer.strike(1.0, [Strike(1.1, 48, 70, 2.0)])
    assert brief(performer.strike(1.2, [Strike(1.3, 48, 70, None)])) == [("note_off", 48, 1.3), ("note_on", 48, 1.3)]


def test_release_lets_go_of_what_sounds_and_not_of_what_begins_then() -> None:
    performer = Performer()
    performer.strike(1.0, [Strike(1.1, 48, 70, None), Strike(1.1, 52, 70, None)])
    performer.strike(1.2, [Strike(1.3, 55, 70, None)])
    assert performer.release(1.2, 1.3, [48]) == []
    assert brief(performer.release(1.2, 1.3, [48, 52, 55])) == []
    assert brief(performer.advance(1.3)) == [("note_off", 48, 1.3), ("note_off", 52, 1.3)]
    assert performer.held == {55}


def test_a_key_struck_twice_at_one_time_sounds_once() -> None:
    performer = Performer()
    assert len(performer.strike(1.0, [Strike(1.1, 48, 70, None), Strike(1.1, 48, 40, None)])) == 1


def test_finish_keeps_the_ends_that_were_planned() -> None:
    performer = Performer()
    performer.strike(1.0, [Strike(1.1, 48, 70, 3.0), Strike(1.1, 52, 70, None)])
    assert brief(performer.finish(2.0)) == [("note_off", 52, 2.0), ("note_off", 48, 3.0)]


def test_panic_silences_every_note_now() -> None:
    performer = Performer()
    performer.strike(1.0, [Strike(1.1, 48, 70, 3.0), Strike(1.1, 52, 70, None)])
    assert {(s.kind, s.pitch, s.due_s) for s in performer.panic(2.0)} == {("note_off", 48, 2.0), ("note_off", 52, 2.0)}
    assert performer.panic(2.0) == []


def test_a_key_that_panic_released_before_its_strike_is_not_struck_twice_at_one_time() -> None:
    performer = Performer()
    sends = performer.strike(1.0, [Strike(1.1, 48, 70, None)])
    sends += performer.panic(1.0)
    sends += performer.strike(1.05, [Strike(1.1, 48, 70, None)])
    assert brief(sends) == [("note_on", 48, 1.1), ("note_off", 48, 1.1), ("note_on", 48, 1.1 + SHORTEST_NOTE_S)]


@settings(max_examples=150, deadline=None)
class AnyPerformance(RuleBasedStateMachine):
    """For all requests in any order, each key goes down and up in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.performer = Performer()
        self.now_s = 0.0
        self.sent: list[Send] = []

    @rule(by_s=st.floats(0, 0.5))
    def time_passes(self, by_s: float) -> None:
        self.now_s += by_s
        sends = self.performer.advance(self.now_s)
        assert all(send.due_s <= self.now_s + 0.032 for send in sends)
        self.sent += sends

    @rule(
        keys=st.lists(st.tuples(PITCHES, st.floats(-0.05, 0.5), st.none() | st.floats(-0.1, 1.0)), max_size=4),
    )
    def strike(self, keys: list[tuple[int, float, float | None]]) -> None:
        now_s = self.now_s
        strikes = [
            Strike(now_s + due, pitch, 64, None if length is None else now_s + due + length)
            for pitch, due, length in keys
        ]
        self.sent += self.performer.strike(now_s, strikes)

    @rule(after_s=st.floats(0, 0.5), pitches=st.lists(PITCHES, max_size=3))
    def release(self, after_s: float, pitches: list[int]) -> None:
        self.sent += self.performer.release(self.now_s, self.now_s + after_s, pitches)

    @rule()
    def finish(self) -> None:
        self.sent += self.performer.finish(self.now_s)
        assert not self.performer.held

    @rule()
    def panic(self) -> None:
        sends = self.performer.panic(self.now_s)
        assert all(send.kind == "note_off" for send in sends)
        self.sent += sends
        assert not self.performer.held

    @invariant()
    def each_key_goes_down_and_up_in_turn(self) -> None:
        by_pitch: dict[int, list[Send]] = defaultdict(list)
        for send in self.sent:
            by_pitch[send.pitch].append(send)
        for pitch, sends in by_pitch.items():
            kinds = ["note_on", "note_off"] * (len(sends) // 2 + 1)
            assert [send.kind for send in sends] == kinds[: len(sends)]
            assert (len(sends) % 2 == 1) == (pitch in self.performer.held)
            assert all(b.due_s >= a.due_s for a, b in pairwise(sends))
            assert all(later.due_s > on.due_s for on, later in pairwise(sends[::2]))
            pairs = zip(sends[::2], sends[1::2], strict=False)
            assert all(off.due_s >= on.due_s + SHORTEST_NOTE_S - 1e-9 or off.due_s >= off.sent_s for on, off in pairs)

    def teardown(self) -> None:
        self.finish()
        self.each_key_goes_down_and_up_in_turn()


TestAnyPerformance = AnyPerformance.TestCase
