"""Measures the clock that follows the player: how many beats it predicts within 70 ms, before they sound.

The right hands of test pieces are played at a tempo that is drawn. Each note is some milliseconds early or late,
because a player is not exact. The clock gets each onset as late as it would on the device: after the delay of the
hearing. The score is the beat F-measure of `mir_eval`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import mir_eval
import numpy as np
import numpy.typing as npt

from device.assemble import left_hand_of
from device.bundles.bundle import Bundle
from device.clock.meter import Meter
from device.clock.step import Step
from device.engine import Engine
from device.errors import UserError
from device.events import Note
from device.files.midi.notes import Part
from device.files.midi_run import play_midi
from device.files.performance import Performance
from device.following.follow_clock import FollowClock
from training.accompanist.data import meter_at
from training.corpora.pieces import HandLabel, Notes, Piece, load_pieces

Array = npt.NDArray[np.float64]

WINDOW_S = 0.07
"""Seconds. A predicted beat is a hit this near a true beat: the usual window of the beat F-measure."""
HOP_S = 0.016
"""Seconds between two questions to the clock. The device also works in such steps (hops)."""
SECONDS = 60.0
"""Seconds that are played from each piece."""
COUNT_IN = 4
"""Beats that the player counts in."""
HEARD_S = 0.045
"""Seconds from a note's onset to its decision: the median of the hearing at 44.1 kHz."""
TEMPI = (60.0, 132.0)
"""Lowest and highest tempo in felt beats a minute. The tempo is drawn evenly on a logarithmic scale."""
RAMP, RAMP_BEATS = 0.15, 16
"""Relative change of the tempo, and the beats over which it changes."""
HAND_PIECES = 20
"""Number of pieces of a corpus, played steadily, to which the left hand is played."""
HELD_KEY_S, PLAIN_VELOCITY = 0.2, 72
"""Seconds for which each key of a take is held down, and its MIDI velocity."""
FARTHEST_STEPS = 8
"""Longest gap between two onsets of the left hand, in steps, that counts when its evenness is measured."""
LEAST_ONSETS, LEAST_BEATS = 24, 24
"""A piece with fewer onsets or beats is left out: it is too short to judge."""


@dataclass(frozen=True)
class Way:
    """Describes a way to play right hands to the clock: count-in, change of tempo, and which beats are judged."""

    name: str
    count_in: int = COUNT_IN
    ramp: float = 0.0
    """Relative change of the tempo over `RAMP_BEATS` beats, from beat 16 on."""
    judged_from: int = 0
    """The number of the first beat after the count-in that is judged."""
    judged_beats: int | None = None
    """The number of beats that are judged; None for all."""


STEADY = Way("steady")
WAYS = (
    STEADY,
    Way("faster", ramp=RAMP, judged_from=16, judged_beats=RAMP_BEATS + 8),
    Way("slower", ramp=-RAMP, judged_from=16, judged_beats=RAMP_BEATS + 8),
    Way("no count-in", count_in=0, judged_from=8),
)


@dataclass(frozen=True)
class ClockInput:
    """The onsets that the clock gets, and the beats that it should find.

    `onset_s` are seconds, in order of time, and `pitch` are their MIDI pitches.
    """

    onset_s: Array
    pitch: npt.NDArray[np.int64]
    beat_s: Array
    """Times in seconds of the felt beats as they were played, from the first beat after the count-in."""
    position: npt.NDArray[np.int64]
    """The place of each beat in its bar, from 0."""


def played(
    right: Notes, meter: Meter, first_quarter: float, way: Way, rng: np.random.Generator, timing_s: float
) -> ClockInput:
    """Return a right hand as it is played to the clock, from the bar at `first_quarter` on, with its true beats.

    The count-in comes before it, on one key. The tempo is drawn from `rng`. `timing_s` is the standard deviation of the
    errors of the onsets in seconds.
    """
    beat_q = float(meter.beat_quarters)
    tempo = float(np.exp(rng.uniform(*np.log(TEMPI))))
    lead = meter.beats_per_bar * int(np.ceil(way.count_in / meter.beats_per_bar)) if way.count_in else 0
    beats = np.arange(-lead, int(SECONDS * 2 * tempo / 60) + 64)
    # the length of each beat: steady, then changing over RAMP_BEATS, then steady again
    bent = 1 + way.ramp * np.clip((beats - 16) / RAMP_BEATS, 0, 1)
    time_s = 1.0 + np.concatenate([[0.0], np.cumsum(60 / (tempo * bent))[:-1]])
    where = (right["onset"].astype(np.float64) - first_quarter) / beat_q
    inside = (where >= -1e-6) & (where < beats[-1])
    onset_s = np.interp(where[inside], beats, time_s) + rng.normal(0, timing_s, inside.sum())
    counted = np.arange(-way.count_in, 0)
    counted_s = np.interp(counted, beats, time_s) + rng.normal(0, timing_s, len(counted))
    onset_s = np.concatenate([counted_s, onset_s])
    pitch = np.concatenate([np.full(len(counted), 72), right["pitch"][inside].astype(np.int64)])
    order = np.argsort(onset_s, kind="stable")
    kept = order[onset_s[order] < SECONDS]
    last_s = float(onset_s[kept[-1]]) if len(kept) else 0.0
    sounding = (beats >= 0) & (time_s <= last_s)
    return ClockInput(onset_s[kept], pitch[kept], time_s[sounding], beats[sounding] % meter.beats_per_bar)


def followed(music: ClockInput, clock: FollowClock) -> list[Step]:
    """Return the beats that the clock predicts for this input, as steps. A beat that it gives too late is left out."""
    beats: list[Step] = []
    events = iter(zip(music.onset_s, music.pitch, strict=True))
    event = next(events, None)
    for now_s in np.arange(0.0, SECONDS + 1.0, HOP_S):
        while event is not None and event[0] + HEARD_S <= now_s:
            clock.hear(float(event[0]), float(event[0]) + HEARD_S, int(event[1]))
            event = next(events, None)
        while (step := clock.due(float(now_s))) is not None:
            # a beat that the clock gives after its time cannot be played, so it does not count
            if step.is_beat and step.time_s >= now_s:
                beats.append(step)
    return beats


def judged(music: ClockInput, beats: Sequence[Step], way: Way) -> dict[str, float]:
    """Return four figures: `f`, `bar F`, `bar` and `lock`; nothing if fewer than two true beats are judged.

    `f` is the F-measure of the beats, and `bar F` that of the downbeats. `bar` is the share of the beats found that
    have the right place in the bar. `lock` is the mean of how sure the clock is of the beat, from 0 (lost) to 1 (sure).
    """
    true = music.beat_s[way.judged_from :][: way.judged_beats]
    if len(true) < 2:
        return {}
    margin_s = float(np.diff(true).mean()) / 2
    inside = [b for b in beats if true[0] - margin_s <= b.time_s <= true[-1] + margin_s]
    found = np.array([b.time_s for b in inside])
    near = np.array([int(np.argmin(np.abs(music.beat_s - t))) for t in found], np.int64)
    hit = np.abs(music.beat_s[near] - found) <= WINDOW_S if len(found) else np.zeros(0, bool)
    places = np.array([b.beat for b in inside], np.int64)
    bars = true[music.position[way.judged_from :][: len(true)] == 0]
    found_bars = found[places == 0]
    return {
        "f": float(mir_eval.beat.f_measure(true, found, WINDOW_S)) if len(found) else 0.0,
        "bar F": float(mir_eval.beat.f_measure(bars, found_bars, WINDOW_S)) if len(bars) and len(found_bars) else 0.0,
        "bar": float((places[hit] == music.position[near[hit]]).mean()) if hit.any() else 0.0,
        "lock": float(np.mean([b.lock for b in inside])) if inside else 0.0,
    }


def longest_stretch(piece: Piece) -> tuple[float, float, Meter]:
    """Return start and end, in quarters, of the longest part of a piece in one metre, and the metre.

    The part starts with the last bar line before the right hand begins in it.
    """
    end = float((piece.notes["onset"] + piece.notes["duration"]).max())
    changes = [(float(q), meter_at(piece, float(q))) for q in piece.downbeats]
    parts = [(q, m) for i, (q, m) in enumerate(changes) if i == 0 or m != changes[i - 1][1]]
    ends = [q for q, _ in parts[1:]] + [end]
    begin, stop, meter = max(((q, e, m) for (q, m), e in zip(parts, ends, strict=True)), key=lambda p: p[1] - p[0])
    right = piece.of(HandLabel.RIGHT)["onset"]
    first = right[(right >= begin - 1e-6) & (right < stop)].min(initial=stop)
    bars = [float(q) for q in piece.downbeats if begin <= q <= first + 1e-6]
    return bars[-1] if bars else begin, stop, meter


def music_of(piece: Piece, way: Way, timing_s: float) -> tuple[ClockInput, Meter] | None:
    """Return the piece's right hand as it is played in `way`, and its metre.

    Returns None if the part is too short, if the clock does not know its metre, or if the piece has no bars.
    """
    if not len(piece.downbeats):
        return None
    begin, stop, meter = longest_stretch(piece)
    rng = np.random.default_rng([zlib.crc32(piece.name.encode()), zlib.crc32(way.name.encode())])
    right = piece.of(HandLabel.RIGHT)
    music = played(right[right["onset"] < stop], meter, begin, way, rng, timing_s)
    enough = len(music.onset_s) >= LEAST_ONSETS and len(music.beat_s) >= LEAST_BEATS
    return (music, meter) if meter.listed and enough else None


def uneven_by(onset_s: Array, step_s: float) -> list[float]:
    """Return the seconds by which each gap between two onsets differs from the nearest whole multiple of `step_s`."""
    gaps = np.diff(onset_s)
    steps = np.round(gaps / step_s)
    return [float(x) for x in (gaps - steps * step_s)[(steps >= 1) & (steps <= FARTHEST_STEPS)]]


def hand_spread_ms(takes: Sequence[tuple[ClockInput, Meter]], bundle: Bundle) -> float:
    """Let the left hand of `bundle` play to steady takes, and return how uneven its onsets are.

    The result is the standard deviation of `uneven_by` over all takes, in milliseconds.
    """
    uneven: list[float] = []
    for music, meter in takes:
        notes = tuple(
            Note(float(t), float(t) + HELD_KEY_S, int(p), PLAIN_VELOCITY, 1.0, float(t), "right")
            for t, p in zip(music.onset_s, music.pitch, strict=True)
        )
        part = Part(0, "", notes, False, float(music.onset_s[-1]) + HELD_KEY_S)
        step_s = float(np.diff(music.beat_s).mean()) / meter.steps_per_beat
        engine = Engine(clock=FollowClock(meter, COUNT_IN), player=left_hand_of(bundle))
        uneven += uneven_by(onsets_of(play_midi(engine, part, HOP_S)), step_s)
    return 1000 * float(np.std(uneven)) if uneven else float("nan")


def onsets_of(played: Performance) -> Array:
    """Return the times in seconds at which the left hand strikes. Keys that are struck together count once."""
    return np.unique(np.round([send.due_s for send in played.sends if send.kind == "note_on"], 3))


def evaluate_clock(
    cache: Path, corpora: Sequence[str], split: str, pieces: int | None, timing_s: float, bundle: Bundle | None = None
) -> dict[str, dict[str, float]]:
    """Print and return the mean measures of the clock over pieces, for each corpus and each way to play them.

    The result maps "CORPUS, WAY" to figures by name. With a `bundle`, the left hand also plays to the first
    `HAND_PIECES` pieces, and its unevenness is measured (see `hand_spread_ms`). Raises UserError if `cache` holds no
    pieces of a corpus.
    """
    table: dict[str, dict[str, float]] = {}
    click.echo(f"{'':26s}{'pieces':>8s}{'beat F':>8s}{'median':>8s}{'>=.9':>7s}{'bar F':>7s}{'bar':>7s}{'lock':>7s}")
    for corpus in corpora:
        chosen = [piece for piece in load_pieces(cache, corpus, split) if piece.primary][:pieces]
        if not chosen:
            raise UserError(f"No pieces of {corpus} in {cache / 'pieces'}: run `python -m training prepare` first.")
        for way in WAYS:
            means = table[f"{corpus}, {way.name}"] = _means_of_way(chosen, way, timing_s)
            click.echo(
                f"{corpus + ', ' + way.name:26s}{means['pieces']:8d}{means['f']:8.3f}{means['median']:8.3f}"
                f"{means['good']:7.2f}{means['bar F']:7.3f}{means['bar']:7.3f}{means['lock']:7.2f}"
            )
        if bundle is not None:
            takes = [made for piece in chosen if (made := music_of(piece, STEADY, timing_s)) is not None][:HAND_PIECES]
            spread = hand_spread_ms(takes, bundle)
            table[f"{corpus}, steady"]["left hand's sd ms"] = spread
            click.echo(f"{corpus}, steady, {len(takes)} pieces: gaps of the left hand have an s.d. of {spread:.1f} ms.")
    return table


def _means_of_way(pieces: Sequence[Piece], way: Way, timing_s: float) -> dict[str, Any]:
    """Return the mean measures of the clock over `pieces` that are played in one way, and the number of pieces."""
    rows: list[dict[str, float]] = []
    for piece in pieces:
        if (made := music_of(piece, way, timing_s)) is not None:
            music, meter = made
            row = judged(music, followed(music, FollowClock(meter, way.count_in or None)), way)
            rows += [row] if row else []
    f = np.array([row["f"] for row in rows])
    means: dict[str, Any] = {k: float(np.mean([row[k] for row in rows])) for k in ("f", "bar F", "bar", "lock")}
    return means | {"pieces": len(rows), "median": float(np.median(f)), "good": float((f >= 0.9).mean())}
