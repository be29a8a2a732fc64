"""The gate: one stroke is one note, and every note ends at most once, for all posteriors."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.events import KEYS, LOWEST_KEY, Note, NoteEnded, NoteHeard
from device.hearing.gate import Gate
from device.hearing.gate_spec import GateSpec
from device.hearing.transcriber import FRAME, ONSET, VELOCITY, Stepper, Transcriber

HOP_S = 0.016
SPLIT = 55
SPEC = GateSpec(release_frames=3, shortest_frames=2, delay_frames=3)
Posterior = NDArray[np.float32]


def posterior(
    onset: dict[int, float] | None = None, frame: dict[int, float] | None = None, velocity: float = 0.5
) -> Posterior:
    """[88, 4] with these onset and frame posteriors by MIDI pitch, zero elsewhere."""
    out = np.zeros((KEYS, 4), np.float32)
    for pitch, value in (onset or {}).items():
        out[pitch - LOWEST_KEY, ONSET] = value
        out[pitch - LOWEST_KEY, VELOCITY] = velocity
    for pitch, value in (frame or {}).items():
        out[pitch - LOWEST_KEY, FRAME] = value
    return out


def run(
    frames: Iterable[Posterior], spec: GateSpec = SPEC, own: frozenset[int] = frozenset()
) -> list[NoteHeard | NoteEnded]:
    gate = Gate(spec, HOP_S, SPLIT)
    return [event for i, frame in enumerate(frames, 1) for event in gate.step(frame, set(own), i * HOP_S)]


def onsets(pitch: int, *values: float, held: float = 0.9) -> list[Posterior]:
    """The key stays down all the time."""
    return [posterior({pitch: value}, {pitch: held}) for value in values]


def heard(events: Iterable[NoteHeard | NoteEnded]) -> list[Note]:
    return [event.note for event in events if isinstance(event, NoteHeard)]


def ended(events: Iterable[NoteHeard | NoteEnded]) -> list[NoteEnded]:
    return [event for event in events if isinstance(event, NoteEnded)]


def test_one_stroke_is_one_note_however_long_its_posterior_stays_up() -> None:
    assert len(heard(run(onsets(60, 0.1, 0.6, 0.9, 0.95, 0.7, 0.5, 0.4, 0.1)))) == 1


def test_a_posterior_that_wavers_above_the_share_that_rearms_is_one_note() -> None:
    assert len(heard(run(onsets(60, 0.9, 0.3, 0.9, 0.26, 0.9)))) == 1


def test_a_key_struck_again_is_two_notes_and_the_first_ends_there() -> None:
    events = run([posterior()] * 5 + onsets(60, 0.9, 0.9, 0.1, 0.1, 0.8, 0.8))
    first, second = heard(events)
    assert second.onset_s - first.onset_s == pytest.approx(4 * HOP_S)
    (end,) = ended(events)
    assert (end.pitch, end.onset_s) == (60, first.onset_s)
    assert end.offset_s == pytest.approx(second.onset_s)
    assert events.index(end) < events.index(NoteHeard(second)), "the key is let go before it is struck again"


def test_below_its_threshold_nothing_passes() -> None:
    thresholds = (0.5, 0.5, 0.5, 0.8, 0.5, 0.5, 0.5, 0.5)
    spec = GateSpec(onset=thresholds)
    assert not heard(run(onsets(60, 0.79, 0.79), spec)), "C4 lies in the fourth octave from A0"
    assert len(heard(run(onsets(60, 0.81), spec))) == 1
    assert len(heard(run(onsets(69, 0.6), spec))) == 1


SLEEPER = GateSpec(wake=0.9, wake_onsets=3, wake_within_s=2.0, awake_s=4.0)


def rest(seconds: float) -> list[Posterior]:
    return [posterior()] * round(seconds / HOP_S)


def test_asleep_only_what_is_sure_passes() -> None:
    assert not heard(run([*onsets(60, 0.8), *rest(3), *onsets(64, 0.85)], SLEEPER))
    assert len(heard(run(onsets(60, 0.7, 0.95), SLEEPER))) == 1, "it rises to what is sure"


def test_awake_every_onset_above_its_threshold_passes_until_nothing_sure_has_come_for_a_while() -> None:
    events = run([*onsets(60, 0.95), *rest(3.5), *onsets(62, 0.6), *rest(3.5), *onsets(64, 0.6)], SLEEPER)
    assert [note.pitch for note in heard(events)] == [60, 62]


def test_several_onsets_soon_after_one_another_wake_it_though_none_is_sure() -> None:
    soft = [frame for pitch in (60, 62, 64, 65) for frame in [*onsets(pitch, 0.7), *rest(0.4)]]
    assert [note.pitch for note in heard(run(soft, SLEEPER))] == [64, 65]


def test_the_confidence_that_was_fitted_changes_nothing_and_more_asks_for_more() -> None:
    spec = GateSpec(onset=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), wake=0.9)
    assert spec.asked(0.5).onset == pytest.approx(spec.onset)
    for lax, strict in itertools.pairwise(spec.asked(c) for c in (0.05, 0.2, 0.5, 0.8, 0.95)):
        assert all(0 < low < high < 1 for low, high in zip(lax.onset, strict.onset, strict=True))
        assert lax.wake < strict.wake < 1


@pytest.mark.parametrize("pitch", [LOWEST_KEY, LOWEST_KEY + KEYS - 1])
def test_the_outermost_keys_are_heard(pitch: int) -> None:
    assert [note.pitch for note in heard(run(onsets(pitch, 0.9)))] == [pitch]


def test_a_chord_is_a_note_for_each_key() -> None:
    chord = {60: 0.9, 64: 0.8, 67: 0.7}
    assert [(n.pitch, round(n.confidence, 3)) for n in heard(run([posterior(chord, chord)]))] == list(chord.items())


def test_an_onset_lies_in_the_middle_of_the_labelled_frame_moved_by_the_shift() -> None:
    spec = GateSpec(delay_frames=3, shift_s=0.004)
    (note,) = heard(run([posterior()] * 10 + onsets(60, 0.9), spec))
    assert note.onset_s == pytest.approx(7.5 * HOP_S + 0.004)
    assert note.decided_s == pytest.approx(11 * HOP_S)


def test_a_low_key_that_the_net_tells_later_has_the_same_onset() -> None:
    spec = GateSpec(delay_frames=3, later=(5, 3, 1, 0, 0, 0, 0, 0))
    for pitch, later in ((21, 5), (32, 5), (33, 3), (45, 1), (57, 0), (108, 0)):
        (note,) = heard(run([posterior()] * (10 + later) + onsets(pitch, 0.9), spec))
        assert note.onset_s == pytest.approx(7.5 * HOP_S)
        assert note.decided_s == pytest.approx((11 + later) * HOP_S)


def test_no_onset_lies_before_the_beginning() -> None:
    assert heard(run(onsets(60, 0.9)))[0].onset_s == 0.0


@pytest.mark.parametrize(("value", "velocity"), [(0.0, 1), (0.5, 64), (1.0, 127), (3.0, 127)])
def test_velocity_is_midi_s(value: float, velocity: int) -> None:
    assert heard(run([posterior({60: 0.9}, velocity=value)]))[0].velocity == velocity


def test_a_note_ends_when_its_frame_posterior_has_stayed_low() -> None:
    held, gone = {60: 0.9}, {60: 0.1}
    frames = [posterior({60: 0.9}, held)] + [posterior(frame=held)] * 9 + [posterior(frame=gone)] * 6
    events = run(frames)
    (end,) = ended(events)
    assert end.offset_s == pytest.approx((9.5 - 3) * HOP_S), "the last labelled frame that was held"
    assert end.decided_s == pytest.approx(13 * HOP_S), "decided at the third low frame"


def test_a_short_dip_ends_nothing() -> None:
    dip = [posterior(frame={60: value}) for value in (0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9)]
    assert not ended(run([*onsets(60, 0.9), *dip]))


def test_what_is_pending_is_what_has_not_ended() -> None:
    gate = Gate(SPEC, HOP_S, SPLIT)
    assert not gate.pending
    gate.step(onsets(60, 0.9)[0], set(), 0.016)
    assert gate.pending
    for i in range(2, 10):
        gate.step(posterior(), set(), i * HOP_S)
    assert not gate.pending


def test_reset_forgets_notes_time_and_what_is_armed() -> None:
    gate = Gate(SPEC, HOP_S, SPLIT)
    frames = onsets(60, 0.1, 0.9, 0.9)
    first = [gate.step(frame, set(), 0.0) for frame in frames]
    gate.reset()
    assert not gate.pending
    assert [gate.step(frame, set(), 0.0) for frame in frames] == first


def test_the_split_divides_the_hands() -> None:
    both = {SPLIT - 1: 0.9, SPLIT: 0.9}
    assert [note.hand for note in heard(run([posterior(both)]))] == ["left", "right"]


def test_a_key_that_we_struck_is_our_own_unless_the_net_is_sure_all_the_same() -> None:
    keys = {48: 0.9, 60: 0.9, 64: 0.9, 67: 0.97}
    hands = {note.pitch: note.hand for note in heard(run([posterior(keys)], own=frozenset({48, 60, 67})))}
    assert hands == {48: "own", 60: "own", 64: "right", 67: "right"}


@st.composite
def any_posteriors(draw: st.DrawFn) -> NDArray[np.float64]:
    """[frames, 88, 4] of a few busy keys, with values on and about every threshold."""
    frames = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.array([0.0, 0.1, 0.24, 0.25, 0.26, 0.29, 0.3, 0.31, 0.49, 0.5, 0.51, 0.94, 0.95, 1.0])
    out = np.zeros((frames, KEYS, 4))
    busy = rng.choice(KEYS, size=draw(st.integers(1, 6)), replace=False)
    out[:, busy] = rng.choice(values, size=(frames, len(busy), 4))
    return out


class Says:
    """A net that returns given posteriors."""

    def __init__(self, said: NDArray[np.float64]) -> None:
        self._said, self._at = said, -1

    def step(self, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self._at += 1
        return {"y": self._said[self._at][None].astype(np.float32)}

    def reset(self) -> None:
        self._at = -1


def through(said: NDArray[np.float64], own: set[int]) -> list[NoteHeard | NoteEnded]:
    """Transcriber and gate over these posteriors, then silence until nothing is pending."""
    transcriber, gate = Transcriber(cast(Stepper, Says(said))), Gate(SPEC, HOP_S, SPLIT)
    nothing = (np.zeros((294, 3), np.float32), np.zeros((1, KEYS, 2), np.float32))
    events = [e for i in range(len(said)) for e in gate.step(transcriber.step(*nothing), own, (i + 1) * HOP_S)]
    for i in range(len(said), len(said) + SPEC.release_frames + SPEC.shortest_frames):
        events += gate.step(posterior(), own, (i + 1) * HOP_S)
    assert not gate.pending
    return events


def check(events: list[NoteHeard | NoteEnded]) -> None:
    """Properties that the events of every gate have."""
    down: dict[int, Note] = {}
    last_s = 0.0
    for event in events:
        if isinstance(event, NoteHeard):
            note = event.note
            assert note.pitch not in down, "struck again before it was let go"
            assert note.offset_s is None and 1 <= note.velocity <= 127 and 0 < note.confidence <= 1
            assert 0 <= note.onset_s < note.decided_s
            decided_s, down[note.pitch] = note.decided_s, note
        else:
            note = down.pop(event.pitch)
            assert event.onset_s == note.onset_s < event.offset_s
            decided_s = event.decided_s
        assert decided_s >= last_s
        last_s = decided_s
    assert not down, "after silence every note has ended"


@given(said=any_posteriors(), own=st.sets(st.integers(LOWEST_KEY, LOWEST_KEY + KEYS - 1)))
@settings(max_examples=60, deadline=None)
def test_every_note_ends_once_and_its_key_is_never_struck_twice_between(
    said: NDArray[np.float64], own: set[int]
) -> None:
    check(through(said, own))


@given(said=any_posteriors(), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_posteriors_that_are_no_numbers_are_silence(said: NDArray[np.float64], seed: int) -> None:
    bad = np.random.default_rng(seed).random(said.shape) < 0.2
    events = through(np.where(bad, np.nan, said), set())
    check(events)
    assert events == through(np.where(bad, 0.0, said), set())


@given(said=any_posteriors())
@settings(max_examples=30, deadline=None)
def test_there_are_no_more_notes_of_a_key_than_times_it_was_armed(said: NDArray[np.float64]) -> None:
    threshold = SPEC.thresholds()
    for note in heard(through(said, set())):
        key = note.pitch - LOWEST_KEY
        frame = round(note.decided_s / HOP_S) - 1
        assert said[frame, key, ONSET] >= threshold[key] - 1e-6
        earlier = [n for n in heard(through(said[:frame], set())) if n.pitch == note.pitch]
        if earlier:
            since = round(max(n.decided_s for n in earlier) / HOP_S)
            assert (said[since:frame, key, ONSET] < SPEC.rearm * threshold[key]).any()


@given(posterior=st.floats(0.0, 1.0), slope=st.floats(0.1, 5.0), offset=st.floats(-5.0, 5.0))
def test_a_confidence_is_a_probability_that_rises_with_the_posterior(
    posterior: float, slope: float, offset: float
) -> None:
    spec = GateSpec(reliability=(slope, offset))
    assert 0.0 <= spec.confidence(posterior) <= 1.0
    assert spec.confidence(posterior) >= spec.confidence(posterior / 2)


@pytest.mark.parametrize("posterior", [0.1, 0.5, 0.93])
def test_without_calibration_the_confidence_is_the_posterior(posterior: float) -> None:
    assert GateSpec().confidence(posterior) == pytest.approx(posterior)
