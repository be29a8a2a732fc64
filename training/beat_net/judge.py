"""Measures on real performances how often the net, and the clock, know the place of an onset in the beat."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from device.following.bank import QUARTER_S, TICK, TIME
from device.following.beat_net import PLACES, TAPS
from device.following.follow_clock import FollowClock
from device.following.heard_onsets import SAME_ONSET_S
from device.following.next_onset import QUARTER
from training.beat_net.inputs import WIDTH, Heard, inputs_of
from training.playing_figures.following import Performed, load_performances
from training.scored_hands import Floats

JUDGED_FROM_S, RIGHT_BEATS = 5.0, 0.125
"""Onsets count from so many seconds after the first. A place is right if it is no farther than this from the true one.
"""


class ChordOnsets(NamedTuple):
    """Holds n onsets: the time in seconds, the pitch of the first key, the top pitch and the number of keys of each."""

    time_s: Floats
    first: Floats
    top: Floats
    keys: Floats


def chord_onsets(notes: list[tuple[float, int]]) -> ChordOnsets:
    """Return the onsets of `notes`, which are times in seconds and pitches. The keys of a chord are one onset."""
    found: list[list[float]] = []
    for time_s, pitch in notes:
        if found and time_s - found[-1][0] < SAME_ONSET_S:
            found[-1][2] = max(found[-1][2], pitch)
            found[-1][3] += 1
        else:
            found.append([time_s, pitch, pitch, 1])
    time, first, top, keys = np.array(found, np.float64).T
    return ChordOnsets(time, first, top, keys)


def heard_in(piece: Performed, way: str) -> Heard:
    """Return the onsets of a performance in one of its ways. The first four are taps if it has a count-in."""
    time_s, first, top, keys = chord_onsets(piece.notes[way])
    counted = not way.startswith("no count-in")
    is_tap = (np.arange(len(time_s)) < TAPS * counted).astype(np.float64)
    return Heard(piece.meter, time_s, first, top, keys, is_tap, counted)


def clock_places(piece: Performed, way: str, time_s: Floats) -> Floats:
    """Return the place in beats that the likeliest hypothesis of the clock without the net gives each onset [n].

    It is NaN before there is a hypothesis.
    """
    counted = not way.startswith("no count-in")
    clock = FollowClock(piece.meter, TAPS if counted else 0)
    # the net must not be compared with itself
    clock._net.reweighed = lambda bank, *_: bank  # type: ignore[method-assign]
    place: dict[float, float] = {}
    for at_s, pitch in piece.notes[way]:
        clock.hear(at_s, at_s, pitch)
        bank, beat = clock._hypotheses.bank, clock._hypotheses.beat
        if bank is not None:
            since = QUARTER * (at_s - bank.real[TIME, 0]) / bank.real[QUARTER_S, 0]
            place[at_s] = float(bank.whole[TICK, 0] + since) / beat
    return np.array([place.get(at_s, np.nan) for at_s in time_s.tolist()])


def is_right(place: Floats, true: Floats) -> Any:
    """Return for each place [n] in beats whether it is within RIGHT_BEATS of the true one, whatever the beat."""
    off = place - true
    return np.abs(off - np.rint(off)) <= RIGHT_BEATS


def net_places(net: Any, pieces: list[Heard]) -> list[Floats]:
    """Return the likeliest place in beats of each onset [n], for each piece. All pieces are heard together."""
    longest = max(len(piece.time_s) for piece in pieces)
    x = np.zeros((len(pieces), longest, WIDTH), np.float32)
    for row, piece in zip(x, pieces, strict=True):
        row[: len(piece.time_s)] = inputs_of(piece)
    out = np.asarray(net.predict(x, batch_size=len(pieces), verbose=0))
    place = out[..., 2 * PLACES] + out[..., :PLACES].argmax(-1) / PLACES
    return [row[: len(piece.time_s)].astype(np.float64) for row, piece in zip(place, pieces, strict=True)]


def shares_right(net: Any, folder: Path, way: str) -> dict[str, float]:
    """Return the mean shares of right onsets of the net and of the clock, and the net's share where the clock is wrong.

    After a count-in there is also the share of a cheat: the taps go on in the same tempo. `folder` has the
    performances. Each onset counts that the clock has a place for. Raises UserError without any.
    """
    pieces = load_performances(folder)
    music = [heard_in(piece, way) for piece in pieces]
    nets, clocks, taps = [], [], []
    for piece, played, place in zip(pieces, music, net_places(net, music), strict=True):
        beats = piece.beats[way]
        true = np.interp(played.time_s, beats, np.arange(len(beats)))
        clock = clock_places(piece, way, played.time_s)
        judged = np.isfinite(clock) & (played.is_tap == 0) & (played.time_s >= played.time_s[0] + JUDGED_FROM_S)
        judged &= (played.time_s >= beats[0]) & (played.time_s <= beats[-1])
        if judged.any():
            nets.append(is_right(place, true)[judged])
            clocks.append(is_right(clock, true)[judged])
            taps.append(is_right((played.time_s - played.time_s[TAPS - 1]) / played.unit_s, true)[judged])
    wrong = ~np.concatenate(clocks)
    shares = {
        "net": float(np.mean([row.mean() for row in nets])),
        "clock": float(np.mean([row.mean() for row in clocks])),
    }
    if wrong.any():
        shares["net where the clock is wrong"] = float(np.concatenate(nets)[wrong].mean())
    if any(played.counted for played in music):
        shares["taps"] = float(np.mean([row.mean() for row in taps]))
    return shares
