"""Measures how well the device hears notes, and compares it with Basic Pitch, another transcriber, on the same sound.

The transcriber under test is the .tflite model of a bundle. It gets the sound hop by hop, as on the device.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.assemble import hearing_of
from device.bundles.bundle import Bundle
from device.events import MIDDLE_C, NoteHeard
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from training.hearing_figures.peers import BasicPitch
from training.hearing_figures.takes import Take
from training.note_scores import Notes, Score, matched, score

OURS = "lefthand"
BINS = 15
"""Number of bins from which the calibration error is computed. All bins hold the same number of notes."""
OCTAVE_NOTES = 300
"""Least number of notes in an octave. An octave with fewer is left out of the calibration error: its bins are small."""
FEWEST_HITS = 10
"""Least number of hits in a take for which its velocity error is computed. Scale and offset are fitted to the hits."""
LATE_S = 0.15
"""Seconds. The delay of a heard note is measured if it lies this near to a label, even if it is too far for a hit."""
SOFT, MIDDLE = 30, 45
"""MIDI velocities that divide strokes into soft, middle and loud ones."""
BACK_S = (-0.05, 0.3)
"""Range in seconds after the device struck a key. A false note of that key in this range is the device's own note."""


@dataclass(frozen=True)
class Heard:
    """The notes heard in a take. Notes that the device recognised as its own are left out.

    `notes` is [n, 4]: onset and end in seconds, MIDI pitch, velocity. `decided_s` [n] is the time in seconds at which
    the device reported each note, and `confidence` [n] the probability that it is right.
    """

    notes: Notes
    decided_s: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]


def listen(hearing: Hearing, take: Take) -> Heard:
    """Reset `hearing`, stream a take through it, and return the notes that the player is heard to play.

    During the take, `hearing` also gets the notes that the device sent, each at the time at which it was sent.
    """
    hearing.reset()
    hops = Hops(take.rate, hearing.spec.sample_rate, hearing.spec.hop)
    rows: list[list[float]] = []
    sounding: dict[int, int] = {}
    tail = np.zeros(take.rate, np.float32)
    sent = deque(sorted(take.sent, key=lambda note: note[1]))
    for hop, now_s in [*hops.push(np.concatenate([take.audio, tail])), *hops.flush()]:
        while sent and sent[0][1] <= now_s:
            hearing.note_on(*sent.popleft())
        for event in hearing.step(hop, now_s):
            if isinstance(event, NoteHeard):
                note = event.note
                sounding[note.pitch] = len(rows)
                end_s = len(take.audio) / take.rate
                ours = float(note.hand == "own")
                rows.append([note.onset_s, end_s, note.pitch, note.velocity, note.decided_s, note.confidence, ours])
            else:
                rows[sounding.pop(event.pitch)][1] = event.offset_s
    table = np.array(rows, np.float64).reshape(-1, 7)
    table = table[table[:, 6] == 0]
    return Heard(table[:, :4], table[:, 4], table[:, 5])


@dataclass
class Result:
    """The scores of one system on one set of takes, its CPU time and the length of the sound in seconds."""

    scores: list[Score]
    cpu_s: float
    audio_s: float

    def row(self) -> str:
        """Return a line of the table: means over the recordings in per cent, and CPU seconds per second of sound."""
        means = [100 * float(np.mean([getattr(s, f.name) for s in self.scores])) for f in fields(Score)]
        return " ".join(f"{m:7.1f}" for m in means) + f" {self.cpu_s / self.audio_s:8.4f}"


COLUMNS = ("on@50", "on@30", "prec", "recall", "C4up@50", "offset", "frame", "on@150")
HEADER = " ".join([" " * 20, *(f"{column:>7}" for column in COLUMNS), f"{'CPU/s':>8}"])


@dataclass
class Comparison:
    """Holds the results of our transcriber and of Basic Pitch's variants on the same takes.

    `results` maps the name of a system to its result. All other fields describe our transcriber only. A hit is a heard
    note whose onset lies within 50 ms of a label of the same pitch.
    """

    results: dict[str, Result] = field(default_factory=dict)
    delays_s: list[float] = field(default_factory=list)
    """The decision time minus the labelled onset of each hit, in seconds."""
    confidence: list[tuple[float, bool, int]] = field(default_factory=list)
    """(confidence, whether it is a hit, MIDI pitch) of every note that the transcriber reported."""
    velocity: list[tuple[float, float]] = field(default_factory=list)
    """For each take, two mean errors of the hits' velocities: that of our velocities, and that of one constant guess.

    The guess is the median of the labelled velocities.
    """
    late: list[tuple[float, float]] = field(default_factory=list)
    """(labelled velocity, heard minus labelled onset in seconds) of each note heard within `LATE_S` of its label."""
    found: list[tuple[float, float]] = field(default_factory=list)
    """(labelled velocity, 1 if it is a hit, else 0) of every label."""
    pitches: list[tuple[float, float]] = field(default_factory=list)
    """(labelled pitch, 1 if it is a hit, else 0) of every label."""
    ends: list[float] = field(default_factory=list)
    """For every hit: -1 if the note ends too soon, 1 if it ends too late, 0 if its end is within the allowed error."""
    false: list[float] = field(default_factory=list)
    """For each take: the number of false notes per minute. A false note is one that the player did not play."""
    taken: list[float] = field(default_factory=list)
    """For each take in which the device plays: how many notes a minute of its own were heard as the player's."""

    def add_scores(self, system: str, found: Notes, take: Take, cpu_s: float) -> None:
        """Add the scores of the notes that a system found in a take, and the CPU time in seconds that this took."""
        seconds = len(take.audio) / take.rate
        result = self.results.setdefault(system, Result([], 0.0, 0.0))
        result.scores.append(score(found, take.notes, seconds))
        result.cpu_s += cpu_s
        result.audio_s += seconds

    def describe(self, heard: Heard, take: Take) -> None:
        """Add what describes our transcriber alone: what it heard in a take."""
        hits = matched(heard.notes, take.notes, 0.05)
        self._describe_labels(heard, take, hits)
        right = {j for _, j in hits}
        self.confidence += [
            (float(c), j in right, int(pitch))
            for j, (c, pitch) in enumerate(zip(heard.confidence, heard.notes[:, 2], strict=True))
        ]
        minutes = len(take.audio) / take.rate / 60
        ghosts = [note for j, note in enumerate(heard.notes) if j not in right]
        self.false.append(len(ghosts) / minutes)
        if take.sent:
            mistaken = sum(any(_is_back(note, pitch, on_s) for pitch, on_s, _ in take.sent) for note in ghosts)
            self.taken.append(mistaken / minutes)

    def _describe_labels(self, heard: Heard, take: Take, hits: list[tuple[int, int]]) -> None:
        """Add which labels were heard, how late, and with which end and velocity. `hits` are (label, heard note)."""
        labels = take.notes
        heard_of = {i for i, _ in hits}
        self.delays_s += [heard.decided_s[j] - labels[i, 0] for i, j in hits]
        self.found += [(velocity, float(i in heard_of)) for i, velocity in enumerate(labels[:, 3])]
        self.pitches += [(pitch, float(i in heard_of)) for i, pitch in enumerate(labels[:, 2])]
        self.ends += [ends(heard.notes[j], labels[i]) for i, j in hits]
        near = matched(heard.notes, labels, LATE_S)
        self.late += [(labels[i, 3], heard.notes[j, 0] - labels[i, 0]) for i, j in near]
        if len(hits) >= FEWEST_HITS:
            label, note = np.array(hits).T
            self.velocity.append(velocity_error(heard.notes[note, 3], labels[label, 3]))


def compare(bundle: Bundle, takes: Iterable[Take], peer: BasicPitch | None) -> Comparison:
    """Return the figures of the transcriber of `bundle` on `takes`, and those of Basic Pitch if `peer` is given.

    Each take is read when its turn comes.
    """
    compared = Comparison()
    # loaded once, like the peer's model, because the device loads it only when it starts
    hearing = hearing_of(bundle)
    for take in tqdm(takes):
        began = time.process_time()
        heard = listen(hearing, take)
        compared.add_scores(OURS, heard.notes, take, time.process_time() - began)
        compared.describe(heard, take)
        if peer is not None:
            for system, (notes, cpu_s) in _peer_notes(peer, take).items():
                compared.add_scores(system, notes, take, cpu_s)
    return compared


def _is_back(note: Notes, pitch: int, on_s: float) -> bool:
    return bool(note[2] == pitch and BACK_S[0] <= note[0] - on_s <= BACK_S[1])


def velocity_error(found: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return two mean absolute errors of velocities: that of `found`, and that of the median of `wanted` as a guess.

    `found` is first fitted to `wanted` with a scale and an offset by least squares, because the level of a recording
    does not show the absolute velocity.
    """
    slope, offset = np.polyfit(found, wanted, 1) if np.ptp(found) else (0.0, float(np.mean(wanted)))
    mean = float(np.abs(slope * found + offset - wanted).mean())
    return mean, float(np.abs(np.median(wanted) - wanted).mean())


def ends(found: Notes, wanted: Notes) -> float:
    """Return -1 if the note `found` ends too soon for the label `wanted` (both [4]), 1 if it ends too late, else 0.

    The allowed error is 50 ms or a fifth of the label's length, whichever is longer.
    """
    late_s, allowed_s = found[1] - wanted[1], max(0.05, 0.2 * (wanted[1] - wanted[0]))
    return float(np.sign(late_s)) if abs(late_s) > allowed_s else 0.0


def by_pitch(labels: list[tuple[float, float]]) -> str:
    """Return text with the recall in per cent and the number of labels in each range of pitches.

    `labels` has one row for each label: its pitch, and 1 if it was heard, else 0.
    """
    pitch, hit = np.array(labels, np.float64).T
    parts = {
        "below C2": pitch < 36,
        "C2 to B2": (pitch >= 36) & (pitch < 48),
        "C3 to B3": (pitch >= 48) & (pitch < MIDDLE_C),
        "from C4": pitch >= MIDDLE_C,
    }
    return "; ".join(f"{n}: {100 * hit[part].mean():.1f} of {part.sum()}" for n, part in parts.items() if part.any())


def by_velocity(rows: list[tuple[float, float]]) -> dict[str, npt.NDArray[np.float64]]:
    """Divide rows (velocity, value) into soft, middle and loud strokes. Returns name of the class -> values."""
    velocity, value = np.array(rows, np.float64).T
    parts = {
        f"below {SOFT}": velocity < SOFT,
        f"{SOFT} to {MIDDLE - 1}": (velocity >= SOFT) & (velocity < MIDDLE),
        f"from {MIDDLE}": velocity >= MIDDLE,
    }
    return {name: value[part] for name, part in parts.items() if part.any()}


def lateness(notes: list[tuple[float, float]]) -> str:
    """Return text with percentiles 10, 50 and 90 of the delay in ms, for soft, middle and loud strokes.

    `notes` has one row for each note: its velocity, and its delay in seconds.
    """
    told = {name: np.percentile(1000 * late_s, [10, 50, 90]) for name, late_s in by_velocity(notes).items()}
    return "; ".join(f"{name}: {low:.0f} {mid:.0f} {high:.0f}" for name, (low, mid, high) in told.items())


def recalled(labels: list[tuple[float, float]]) -> str:
    """Return text with the recall in per cent and the number of labels, for soft, middle and loud strokes.

    `labels` has one row for each label: its velocity, and 1 if it was heard, else 0.
    """
    told = by_velocity(labels)
    return "; ".join(f"{name}: {100 * hit.mean():.1f} of {len(hit)}" for name, hit in told.items())


def calibration_error(notes: list[tuple[float, bool, int]]) -> float:
    """Return the expected calibration error over `BINS` bins with equal numbers of notes, or NaN without notes.

    Each row of `notes` is (confidence, True if the note is right, MIDI pitch).

    Only octaves (C to B) with at least `OCTAVE_NOTES` notes count.
    """
    octaves = Counter(pitch // 12 for _, _, pitch in notes)
    kept = sorted((c, hit) for c, hit, pitch in notes if octaves[pitch // 12] >= OCTAVE_NOTES)
    if not kept:
        return float("nan")
    table = np.array(kept, np.float64)
    gaps = [abs(float(part[:, 0].mean() - part[:, 1].mean())) * len(part) for part in np.array_split(table, BINS)]
    return sum(gaps) / len(table)


def false_notes(bundle: Bundle, takes: list[Take]) -> dict[str, float]:
    """Return the number of notes heard per minute in each take.

    The takes hold no piano, so every such note is false.
    """
    hearing = hearing_of(bundle)
    return {take.name: 60 * len(listen(hearing, take).notes) / (len(take.audio) / take.rate) for take in tqdm(takes)}


def _peer_notes(peer: BasicPitch, take: Take) -> dict[str, tuple[Notes, float]]:
    found, cpu_s = peer.notes(take.audio, take.rate)
    return {name: (notes, cpu_s) for name, notes in found.items()}


def report(title: str, compared: Comparison) -> str:
    """Return the figures of a comparison as text for the terminal.

    It is a table, and a line for each other figure that has a value.
    """
    lines = [title, HEADER, *(f"{name:20s} {result.row()}" for name, result in compared.results.items())]
    if compared.delays_s:
        d = 1000 * np.array(compared.delays_s)
        lines.append(
            f"decided after the labelled onset: median {np.median(d):.0f}, p95 {np.percentile(d, 95):.0f}, "
            f"s.d. {d.std():.0f} ms"
        )
    if compared.found:
        lines.append(f"recall in per cent, velocity {recalled(compared.found)}")
        lines.append(f"recall in per cent, {by_pitch(compared.pitches)}")
    if compared.ends:
        soon, late = (100 * float(np.mean(np.array(compared.ends) == side)) for side in (-1, 1))
        lines.append(f"hits that end too soon {soon:.0f} %, too late {late:.0f} %")
    if compared.late:
        lines.append(f"heard after the label (p10, median, p90 in ms), velocity {lateness(compared.late)}")
    if compared.confidence:
        lines.append(f"expected calibration error {calibration_error(compared.confidence):.3f}")
    if compared.velocity:
        error, median = np.mean(compared.velocity, axis=0)
        lines.append(f"velocity: mean error {error:.1f}, {error / median:.2f} of the median velocity's")
    if compared.false:
        lines.append(f"false notes: {np.mean(compared.false):.2f} a minute")
    if compared.taken:
        lines.append(f"our own notes taken for the player's: {np.mean(compared.taken):.2f} a minute")
    return "\n".join(lines)
