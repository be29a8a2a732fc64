"""Measures the chords that the device finds. Each chord is played as a full triad on its beat.

So the results do not depend on which keys the left hand strikes. The test runs in a minute, because it needs neither
sound nor the device's accompaniment figures. `python -m training evaluate chords` prints its results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import numpy as np
import numpy.typing as npt

from device.events import Note
from device.left_hand.accompanist import Accompanist, Net
from device.left_hand.chord_net import ChordNet, shipped_arrays
from device.left_hand.progression import Progression
from device.left_hand.right_hand import RightHand
from training.accompanist.data import grid_of
from training.corpora.pieces import Piece
from training.playing_figures.baselines import chord_rule, tonic
from training.playing_figures.compared_hands import JudgedPiece, judged_piece
from training.playing_figures.figures_on_chords import triads_of
from training.playing_figures.measure import BY_MIDI, SCORE_TEMPO, right_hand_of
from training.playing_figures.panel import STEPS_PER_QUARTER, TRIADS, Roll, panel
from training.playing_figures.phrases import phrases_again
from training.playing_figures.strikes import chords_by_beat, strikes

LOWEST = 48
"""MIDI pitch C3. The triads are played in the octave that begins here."""
EIGHT_BARS = 8
TRUE, BEFORE, MAJORITY, TONIC, RULE = "true chords", "8 bars before", "majority", "held tonic", "causal rule"
ON_BEAT, IN_BEAT = "ours, on the beat", "ours, as corrected"
CHEATS = (TRUE, BEFORE, MAJORITY, TONIC)
COLUMNS = ("chord", "first beat", "over tonic", "in chord", "dominant as tonic", "minor", "again")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """Holds the triads that the device finds at T sixteenth steps, each array [T]. -1 means that there is none.

    `on_beat` is the triad that was chosen on the beat, repeated for all its steps. `at_step` is the triad at each step,
    which may correct the one of the beat.
    """

    on_beat: Ints
    at_step: Ints


def found_chords(piece: Piece, net: Net, gap_steps: float, steps: int) -> Found:
    """Return the chords that the device finds in the first `steps` sixteenths of a piece.

    The device gets the piece's right hand as MIDI. `net` and `gap_steps` are those of the bundle's accompanist.
    """
    accompanist, right, progression = Accompanist(net, gap_steps), RightHand(), Progression(ChordNet(shipped_arrays()))
    accompanist.reset()
    on_beat, at_step = np.full(steps, -1), np.full(steps, -1)
    events = BY_MIDI(piece, right_hand_of(piece), SCORE_TEMPO)
    grid, quarters = grid_of(piece, SCORE_TEMPO)
    waiting = iter([*events, None])
    event = next(waiting)
    held = -1
    for step, quarter in zip(grid, quarters, strict=True):
        while event is not None and event.decided_s <= step.plan_s:
            for listener in (accompanist, right):
                listener.hear(event) if isinstance(event, Note) else listener.end(event)
            event = next(waiting)
        right.at(step, accompanist.known_until_s(step))
        plan = accompanist.plan(step)
        progression.at(plan, step, right)
        at = round(quarter * STEPS_PER_QUARTER)
        held = progression.triad if step.is_beat else held
        if 0 <= at < steps and right.opening:
            on_beat[at], at_step[at] = held, progression.triad
    return Found(on_beat, at_step)


def as_hand(triads: Ints, positions: Ints) -> Roll:
    """Return a hand that sounds the triad of each step, and strikes it on each beat and where it changes."""
    sounding = np.zeros((len(triads), 128), bool)
    struck = np.zeros((len(triads), 128), bool)
    for step, triad in enumerate(triads):
        if triad < 0:
            continue
        keys = LOWEST + np.flatnonzero(TRIADS[triad])
        sounding[step, keys] = True
        if positions[step] % STEPS_PER_QUARTER == 0 or step == 0 or triads[step - 1] != triad:
            struck[step, keys] = True
    return Roll(sounding, struck)


def hands_of(judged: JudgedPiece, net: Net, gap_steps: float) -> dict[str, Roll]:
    """Return the left hands of the test by name. Those in `CHEATS` are made from the true hand or the whole melody."""
    right, true, positions, bar = judged.right, judged.true, judged.positions, judged.bar
    steps = len(right.sounding)
    chords = triads_of(right.sounding | true.sounding, positions, bar)
    common = Counter(chords[chords >= 0].tolist()).most_common(1)
    found = found_chords(judged.piece, net, gap_steps, steps)
    late = np.full(steps, -1)
    late[EIGHT_BARS * bar :] = chords[: max(steps - EIGHT_BARS * bar, 0)]
    return {
        TRUE: as_hand(chords, positions),
        BEFORE: as_hand(late, positions),
        MAJORITY: as_hand(np.full(steps, common[0][0] if common else 0), positions),
        TONIC: tonic(right, true, bar, STEPS_PER_QUARTER),
        RULE: chord_rule(right, true, bar, STEPS_PER_QUARTER),
        ON_BEAT: as_hand(found.on_beat, positions),
        IN_BEAT: as_hand(found.at_step, positions),
    }


def dominant_as_tonic(judged: JudgedPiece, hand: Roll) -> float:
    """Return how often the hand has the tonic (home chord) where the true chord is the dominant (chord on the fifth).

    The result is a share of the beats with the dominant of the melody's key; NaN if there is no such beat.
    """
    right, true, positions, bar = judged.right, judged.true, judged.positions, judged.bar
    key = int(np.argmax(TRIADS @ tonic(right, true, bar, STEPS_PER_QUARTER).pitch_classes[0]))
    dominant = (key % 12 + 7) % 12
    chords = triads_of(right.sounding | true.sounding, positions, bar)
    beats = chords_by_beat(right, hand, true, positions, bar)
    there = chords[beats.starts] == dominant
    return float((beats.triads[there] == key).mean()) if there.any() else float("nan")


def figures_of(judged: JudgedPiece, hand: Roll) -> dict[str, float]:
    """Return the figures of one hand by name, for all of `COLUMNS` except `again`."""
    right, true, positions, bar = judged.right, judged.true, judged.positions, judged.bar
    row = strikes(right, hand, true, positions, bar)
    agreement = panel(right, hand, true, positions, bar, STEPS_PER_QUARTER)["agreement"]
    return {
        "chord": row["triad"],
        "first beat": row["triad1"],
        "over tonic": agreement,
        "in chord": row["in_chord"],
        "dominant as tonic": dominant_as_tonic(judged, hand),
        "minor": float((chords_by_beat(right, hand, true, positions, bar).triads >= 12).mean()),
    }


def bench(pieces: Sequence[Piece], net: Net, gap_steps: float) -> dict[str, dict[str, float]]:
    """Return for each hand the means of its figures over the pieces: hand, then figure, then value.

    `over tonic` is the agreement minus that of the held tonic. `again` is counted over all pieces together: how many
    more chords are right when a phrase comes again, per beat.
    """
    rows: dict[str, list[dict[str, float]]] = {}
    gained: dict[str, list[tuple[int, int]]] = {}
    for judged in map(judged_piece, pieces):
        for name, hand in hands_of(judged, net, gap_steps).items():
            rows.setdefault(name, []).append(figures_of(judged, hand))
            again = phrases_again(judged.right, hand, judged.true, judged.positions, judged.bar)
            gained.setdefault(name, []).append((again.second - again.first, again.beats))
    table = {
        name: {column: float(np.nanmean([row[column] for row in each])) for column in each[0]}
        for name, each in rows.items()
    }
    base = table[TONIC]["over tonic"]
    for name, row in table.items():
        row["over tonic"] -= base
        row["again"] = sum(more for more, _ in gained[name]) / max(sum(beats for _, beats in gained[name]), 1)
    return table


def show(corpus: str, table: dict[str, dict[str, float]], echo: Callable[[str], None] = click.echo) -> None:
    """Print the table of `bench` in Markdown, with `corpus` as its heading."""
    echo(f"\n| {corpus} | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name, row in table.items():
        title = f"cheat: {name}" if name in CHEATS else name
        echo(f"| {title} | " + " | ".join(f"{row[column]:.3f}" for column in COLUMNS) + " |")
