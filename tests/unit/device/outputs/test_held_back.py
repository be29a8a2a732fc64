"""A strike that the clock held back, or brought forward, leaves once, is let go, and keeps its calibrated latency.

The shipped left hand plays in the real engine with the clock that follows, and the real sender sends what it plays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.step import Step
from device.engine import Engine
from device.events import Note, NoteHeard, Send
from device.left_hand.performer import Move, Strike
from device.make_clock import make_clock
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.plays import HOP_S, Watched, fresh_left_hand
from tests.unit.helpers.sender_time import LEAST_WAIT_S, START_S, Clock, Port, simulated, started

BEAT_S = 0.5
COUNTS = 4
TUNE = (72, 76, 79, 76, 77, 81, 79, 74)
MISSING = None
MOVED_S = 0.032 + 1e-9
"""A strike of a key whose note-off has already left may be late by the performer's lead."""
LONGEST_RUN_S = 60.0


class RecordedHand:
    """The shipped left hand, and the strikes that it asked for."""

    def __init__(self) -> None:
        self.inner = fresh_left_hand()
        self.asked: list[Strike] = []

    def hear(self, note: Note) -> None:
        self.inner.hear(note)

    def play(self, step: Step) -> Move:
        move = self.inner.play(step)
        self.asked += move.strikes
        return move


def right_hand(shifts: Sequence[float | None], delay_s: float) -> list[Note]:
    """Return four counts and a tune in eighths, each late or early by a share of the beat, or missing."""
    onsets = [(count * BEAT_S, TUNE[0]) for count in range(COUNTS)]
    for i, shift in enumerate(shifts):
        if shift is not MISSING:
            onsets.append(((COUNTS + i / 2 + shift) * BEAT_S, TUNE[i % len(TUNE)]))
    return [Note(at_s, None, key, 70, 1.0, at_s + delay_s, "right") for at_s, key in sorted(onsets)]


def ons_by_key(sends: Sequence[Send] | Sequence[Strike]) -> dict[int, list[float]]:
    """Return the due times in seconds of the strikes of each key, in order."""
    out: dict[int, list[float]] = defaultdict(list)
    for send in sends:
        out[send.pitch].append(send.due_s)
    return {key: sorted(due_s) for key, due_s in out.items()}


def sent(
    clock: Clock, notes: list[Note], lead_s: float
) -> tuple[RecordedHand, list[Send], list[tuple[float, float, int]], Port]:
    """Play the notes to the engine, and send what it plays. Return the left hand, all that it sent, and the port.

    The third result has the time of putting, the due time and the key of every note-on.
    """
    hand, port, waiting = RecordedHand(), Port(clock), list(notes)
    engine = Engine(clock=make_clock("follow"), player=hand)  # type: ignore[arg-type]
    sender = started(port.send, lead_s)
    sends, put = list[Send](), list[tuple[float, float, int]]()
    end_s, hop = notes[-1].decided_s + 2 * BEAT_S, 0
    while (now_s := hop * HOP_S) < end_s:
        come = []
        while waiting and waiting[0].decided_s <= now_s:
            come.append(NoteHeard(waiting.pop(0)))
        new = [event for event in engine.step(None, now_s, come) if isinstance(event, Send)]
        new += engine.finish(now_s) if now_s + HOP_S >= end_s else []  # type: ignore[arg-type]
        if new:
            clock.pass_until(now_s)
            sender.put(new)
        sends += new
        put += [(clock.now_s - START_S, send.due_s, send.pitch) for send in new if send.kind == "note_on"]
        hop += 1
    last_s = max((send.due_s for send in sends), default=0.0)
    clock.pass_until(min(max(last_s, end_s) + 1.0, LONGEST_RUN_S))
    of_keys = sum(send.kind != "control" for send in sends)
    patiently(lambda: len(port.notes) >= of_keys)
    before_closing = len(port.got)
    sender.close()
    del port.got[before_closing:]
    return hand, sends, put, port


SHIFTS = st.lists(
    st.one_of(st.just(0.0), st.floats(-0.25, 0.4), st.sampled_from([0.2, -0.2]), st.none()), min_size=12, max_size=40
)


@settings(max_examples=12, deadline=None)
@given(shifts=SHIFTS, lead_s=st.sampled_from([0.0, 0.012, 0.08, 0.2]), delay_s=st.sampled_from([0.0, 0.054]))
def test_every_strike_leaves_once_is_let_go_and_is_never_earlier_than_its_latency(
    shifts: list[float | None], lead_s: float, delay_s: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = simulated(patch)
        hand, sends, put, port = sent(clock, right_hand(shifts, delay_s), lead_s)
    asked, left = ons_by_key(hand.asked), ons_by_key([send for send in sends if send.kind == "note_on"])
    assert {key: len(times) for key, times in asked.items()} == {key: len(times) for key, times in left.items()}
    moved_s = [after - before for key in asked for before, after in zip(asked[key], left[key], strict=True)]
    assert all(0 <= by_s <= MOVED_S for by_s in moved_s)
    down: set[int] = set()
    left_s: dict[int, list[float]] = defaultdict(list)
    for at_s, message in port.got:
        if message.type == "note_on":
            assert message.note not in down
            down.add(message.note)
            left_s[message.note].append(at_s)
        elif message.type == "note_off":
            down.discard(message.note)
    assert not down
    wanted: dict[int, list[float]] = defaultdict(list)
    for put_s, due_s, key in put:
        wanted[key].append(max(put_s, due_s - lead_s))
    assert left_s.keys() == wanted.keys()
    for key, times_s in wanted.items():
        assert sorted(left_s[key]) == pytest.approx(sorted(times_s), abs=4 * LEAST_WAIT_S)


def test_the_clock_holds_strikes_back_in_this_music() -> None:
    """Strikes are due over 12 ms after the steady beat, and steps are told over 12 ms before it."""
    shifts = [0.15 if i % 8 == 0 and i > 8 else -0.1 if i % 8 == 4 and i > 8 else 0.0 for i in range(40)]
    watched, hand, waiting = Watched(make_clock("follow")), RecordedHand(), right_hand(shifts, 0.0)
    engine = Engine(clock=watched, player=hand)  # type: ignore[arg-type]
    for hop in range(int((waiting[-1].decided_s + BEAT_S) / HOP_S)):
        come = []
        while waiting and waiting[0].decided_s <= hop * HOP_S:
            come.append(NoteHeard(waiting.pop(0)))
        engine.step(None, hop * HOP_S, come)
    times_s = [step.time_s for step in watched.given]
    off = [(at_s / BEAT_S * 4 + 0.5) % 1 - 0.5 for at_s in times_s]
    struck = {strike.due_s for strike in hand.asked}
    held = [at_s for at_s, steps in zip(times_s, off, strict=True) if steps > 0.1]
    brought = [at_s for at_s, steps in zip(times_s, off, strict=True) if steps < -0.1]
    assert struck.intersection(held) and brought
