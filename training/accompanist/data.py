"""Makes the training data of the accompanist from pieces.

For each step of the grid, the input is the right hand as far as the device knows it then, and the target is the left
hand. The device's own `Listener` and `encode` compute the input. The notes first get the errors of a player and of a
transcriber: late, uneven, missed and false notes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.clock.played import PlayedSteps
from device.clock.step import Step
from device.errors import UserError
from device.events import Note, NoteEnded
from device.left_hand.net_input import Known, Listener, encode, stack
from training.corpora.pieces import HandLabel, Notes, Piece, load_pieces

GAP_STEPS = 1
LATEST_S = 0.07
"""Longest time in seconds from an onset to its report. No transcriber on a device needs longer."""
SCORE_TEMPO = (60.0, 132.0)
"""Lowest and highest tempo at which a score is played, in quarters per minute. Each piece gets a random tempo."""
BEAT_STEPS = 4
JUMPS = 0.15
"""Share of the pieces that are transposed from a random place on, so that they change key there."""

Rng = np.random.Generator


@dataclass(frozen=True)
class HearingErrors:
    """Errors in the heard right hand: latency and jitter in seconds, shares of missed and of false notes."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    missed: float = 0.0
    ghosts: float = 0.0

    @classmethod
    def draw(cls, rng: Rng) -> HearingErrors:
        """Return random errors. With probability 1/3 they are those of a MIDI keyboard, else those of a microphone."""
        jitter_s = float(rng.uniform(0.0, 0.02))
        if rng.random() < 1 / 3:
            return cls(0.0, jitter_s)
        return cls(
            float(rng.uniform(0.02, LATEST_S)), jitter_s, float(rng.uniform(0, 0.06)), float(rng.uniform(0, 0.03))
        )


@dataclass(frozen=True)
class Targets:
    """The targets of the net: the left hand on T steps."""

    sounding: npt.NDArray[np.uint8]
    """[T, 12] 1 if a pitch class sounds, else 0."""
    ahead: npt.NDArray[np.uint8]
    """[T, 12] number of the next `BEAT_STEPS` steps in which a pitch class sounds, 0..4."""
    bass: npt.NDArray[np.uint8]
    """[T] pitch class of the lowest sounding key, or 12 if no key sounds."""
    strike: npt.NDArray[np.uint8]
    """[T, 3] 1 or 0 each: the bass is struck, a key above it is struck, at least two keys above it are struck."""


def grid_of(piece: Piece, tempo: float = 96.0) -> tuple[list[Step], npt.NDArray[np.float64]]:
    """Return the piece's steps as the left hand plays them, and the quarter of each step [T].

    A short first bar is a pickup. 12/8 and 3/8 are played as 6/8, and 2/2 as 4/4: see `Meter.played`.

    The times of the steps in seconds are those of the performance. A score has none, so it is played at `tempo`
    (quarters per minute).
    """
    end = float((piece.notes["onset"] + piece.notes["duration"]).max()) if len(piece.notes) else 0.0
    starts = [float(q) for q in piece.downbeats]
    if not starts or starts[0] > 1e-3:
        starts.insert(0, 0.0)
    quarters: list[float] = []
    positions: list[tuple[int, Meter]] = []
    for i, start in enumerate(starts):
        meter = meter_at(piece, start)
        length = float(meter.step_quarters)
        until = starts[i + 1] if i + 1 < len(starts) else max(end, start + meter.steps_per_bar * length)
        number = max(0, round((until - start) / length))
        pickup = meter.steps_per_bar - number if i == 0 and number < meter.steps_per_bar else 0
        quarters += [start + n * length for n in range(number)]
        positions += [((pickup + n) % meter.steps_per_bar, meter) for n in range(number)]
    times = seconds_of(piece, np.array(quarters), tempo)
    lengths = np.diff(times, prepend=2 * times[0] - times[1] if len(times) > 1 else -0.1)
    played = PlayedSteps()
    steps = [
        played.at(Step(index, float(time), float(max(length, 1e-3)), position, meter, 1.0))
        for index, (time, length, (position, meter)) in enumerate(zip(times, lengths, positions, strict=True))
    ]
    return steps, np.array(quarters)


def meter_at(piece: Piece, quarter: float) -> Meter:
    """Return the time signature at the position `quarter` of the piece. It is 4/4 if the piece states none."""
    held = [(beats, kind) for start, beats, kind in piece.meters if start <= quarter + 1e-3]
    beats, kind = held[-1] if held else (4, 4)
    return Meter(beats, kind)


def seconds_of(piece: Piece, quarters: npt.NDArray[np.float64], tempo: float) -> npt.NDArray[np.float64]:
    """Return the times in seconds of the positions `quarters`.

    After the last beat of a performance, its last tempo continues. A score is played at `tempo`.
    """
    if piece.beat_s is None:
        return quarters * 60.0 / tempo
    last = len(piece.beat_s) - 1
    beyond = np.maximum(quarters - last, 0.0) * (piece.beat_s[-1] - piece.beat_s[-2])
    return np.asarray(np.interp(quarters, np.arange(last + 1), piece.beat_s) + beyond)


def heard(piece: Piece, right: Notes, tempo: float, manner: HearingErrors, rng: Rng) -> list[Note | NoteEnded]:
    """Return the notes `right` as events that a device with the errors `manner` would report, sorted by `decided_s`."""
    events: list[Note | NoteEnded] = []
    onset = seconds_of(piece, right["onset"].astype(np.float64), tempo)
    offset = seconds_of(piece, right["onset"].astype(np.float64) + right["duration"], tempo)
    onset_s = onset + rng.normal(0.0, 1.0, len(right)) * manner.jitter_s
    late = manner.latency_s + (np.abs(rng.normal(0, 0.004, len(right))) if manner.latency_s else np.zeros(len(right)))
    ringing = rng.uniform(0.0, 0.12, len(right)) if manner.latency_s else np.zeros(len(right))
    kept = rng.random(len(right)) >= manner.missed
    ghost = rng.random(len(right)) < manner.ghosts
    for i in np.flatnonzero(kept):
        pitches = [int(right["pitch"][i])]
        if ghost[i]:
            pitches.append(pitches[0] + int(rng.choice((-12, 12, 19, 7))))
        for pitch in pitches:
            if not 0 <= pitch < 128:
                continue
            ends = max(offset[i], onset_s[i] + 0.03) + ringing[i]
            velocity = int(right["velocity"][i]) or 64
            decided = float(onset_s[i] + late[i])
            events.append(Note(float(onset_s[i]), None, pitch, velocity, 1.0, decided, "right"))
            events.append(
                NoteEnded(pitch, float(onset_s[i]), float(ends), float(max(ends + manner.latency_s, decided)))
            )
    return sorted(events, key=lambda event: event.decided_s)


def listen(steps: Iterable[Step], events: list[Note | NoteEnded], gap_steps: int = GAP_STEPS) -> Known:
    """Return what the device knows of the right hand at each of `steps`, after the `events` up to then.

    The device's own `Listener` computes it. A step is planned `gap_steps` steps before it begins, so later events are
    unknown.
    """
    listener = Listener()
    for event in events:
        listener.hear(event) if isinstance(event, Note) else listener.end(event)
    return stack([listener.look(step, step.time_s - gap_steps * step.length_s) for step in steps])


def targets_of(quarters: npt.NDArray[np.float64], left: Notes) -> Targets:
    """Return the targets for the notes `left`, on a grid whose steps begin at the positions `quarters`."""
    steps = len(quarters)
    keys = np.zeros((steps, 128), bool)
    struck = np.zeros((steps, 128), bool)
    edges = (quarters[1:] + quarters[:-1]) / 2
    onset = np.searchsorted(edges, left["onset"])
    offset = np.maximum(np.searchsorted(edges, left["onset"] + left["duration"]), onset + 1)
    for first, last, pitch in zip(onset, offset, left["pitch"], strict=True):
        keys[first:last, pitch] = True
        struck[first, pitch] = True
    padded = np.zeros((steps, 132), bool)
    padded[:, :128] = keys
    sounding = padded.reshape(steps, 11, 12).any(axis=1).astype(np.uint8)
    tail = np.vstack([sounding, np.zeros((BEAT_STEPS, 12), np.uint8)])
    ahead = sum((tail[k : k + steps] for k in range(BEAT_STEPS)), np.zeros((steps, 12), np.uint8))
    silent = ~keys.any(axis=1)
    lowest = np.argmax(keys, axis=1)
    row = np.arange(steps)
    low = struck[row, lowest]
    above = struck.sum(axis=1) - low
    return Targets(
        sounding=sounding,
        ahead=ahead,
        bass=np.where(silent, 12, lowest % 12).astype(np.uint8),
        strike=np.stack([low, above >= 1, above >= 2], axis=1).astype(np.uint8),
    )


def right_hands(piece: Piece, rng: Rng) -> Notes:
    """Return the notes of a piece that serve as the right hand.

    The choice is random: usually the right hand's staff, sometimes the voice of a song, sometimes all notes except the
    left hand's.
    """
    if piece.corpus == "lieder":
        voice = piece.of(HandLabel.VOICE)
        return voice if len(voice) and rng.random() < 0.4 else piece.of(HandLabel.RIGHT)
    if piece.corpus == "pop909" and rng.random() < 0.25:
        return piece.of(HandLabel.RIGHT, HandLabel.OTHER)
    return piece.of(HandLabel.RIGHT)


@dataclass(frozen=True)
class Sequence:
    """A piece on its grid of T steps, as inputs and targets of the net.

    `x` uint8 [T, INPUT_SIZE] are the inputs (0 to 1) times 255.
    """

    name: str
    corpus: str
    x: npt.NDArray[np.uint8]
    targets: Targets


def jump(right: Notes, left: Notes, rng: Rng) -> tuple[Notes, Notes]:
    """Return both hands, transposed by the same number of semitones from a random place on.

    So the net learns to follow a player who changes key.
    """
    where = rng.uniform(right["onset"][0], right["onset"][-1])
    by = int(rng.integers(1, 12))
    moved = []
    for notes in (right.copy(), left.copy()):
        later = notes["onset"] >= where
        pitch = notes["pitch"].astype(int)
        notes["pitch"] = np.clip(np.where(later, pitch + (by if by <= 6 else by - 12), pitch), 0, 127)
        moved.append(notes)
    return moved[0], moved[1]


def sequence_of(piece: Piece, rng: Rng, manner: HearingErrors | None = None) -> Sequence | None:
    """Return the inputs and targets of a piece that the device has heard once, with random errors.

    `manner` sets the errors, or they are random. Returns None if a hand has fewer than 16 notes, or if the piece has
    fewer than 64 steps.
    """
    right, left = right_hands(piece, rng), piece.of(HandLabel.LEFT)
    tempo = float(rng.uniform(*SCORE_TEMPO))
    steps, quarters = grid_of(piece, tempo)
    if len(right) < 16 or len(left) < 16 or len(steps) < 64:
        return None
    if rng.random() < JUMPS:
        right, left = jump(right, left, rng)
    known = listen(steps, heard(piece, right, tempo, manner or HearingErrors.draw(rng), rng))
    x = np.rint(encode(known) * 255).astype(np.uint8)
    return Sequence(piece.name, piece.corpus, x, targets_of(quarters, left))


def sequences(cache: Path, corpora: Iterable[str], split: str, hearings: int, seed: int) -> Iterator[Sequence]:
    """Yield the sequences of all pieces of a split. Each piece gives `hearings` sequences with different random errors.

    They are stored in `cache`, in one file for each corpus and hearing.

    Raises UserError if the pieces are not prepared.
    """
    for corpus in corpora:
        pieces = [piece for piece in load_pieces(cache, corpus, split) if piece.primary]
        for hearing in range(hearings):
            path = cache / "steps" / f"{corpus}-{split}-{hearing}-{seed}.npz"
            if not path.exists():
                if not pieces:
                    raise UserError(
                        f"No {corpus} pieces in {cache / 'pieces'}: run `python -m training prepare` first."
                    )
                _build(path, pieces, np.random.default_rng([seed, hearing]))
            yield from _read(path)


def _build(path: Path, pieces: list[Piece], rng: Rng) -> None:
    from tqdm import tqdm

    found = [s for p in tqdm(pieces, path.stem) if (s := sequence_of(p, rng)) is not None]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.array([s.name for s in found]),
            corpus=np.array([s.corpus for s in found]),
            lengths=np.array([len(s.x) for s in found]),
            x=np.concatenate([s.x for s in found]),
            **{
                field: np.concatenate([getattr(s.targets, field) for s in found])
                for field in ("sounding", "ahead", "bass", "strike")
            },
        )
    temporary.replace(path)


def _read(path: Path) -> Iterator[Sequence]:
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    ends = np.cumsum(arrays["lengths"])
    for name, corpus, end, length in zip(arrays["names"], arrays["corpus"], ends, arrays["lengths"], strict=True):
        part = slice(int(end - length), int(end))
        fields = {field: arrays[field][part] for field in ("sounding", "ahead", "bass", "strike")}
        yield Sequence(str(name), str(corpus), arrays["x"][part], Targets(**fields))
