"""Hearing, measured: the shipped .tflite streamed hop by hop, beside Basic Pitch on the same sound in the same run."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from device.bundle import Bundle
from device.errors import UserError
from device.features import Samples
from device.models import hearing_of
from device.resample import Hops
from device.types import NoteHeard
from training.acoustics import in_room, room_response
from training.augment import with_noise
from training.banks import load_bank
from training.notescore import Notes, Score, matched, score
from training.peers import BasicPitch
from training.perform import perform
from training.pieces import Hand, load_pieces
from training.render import render

OURS = "lefthand"
EXCERPT_S = 30.0


@dataclass(frozen=True)
class Take:
    """A recording and its labels."""

    name: str
    audio: Samples
    rate: int
    notes: Notes


def listen(bundle: Bundle, audio: Samples, rate: int) -> tuple[Notes, Notes]:
    """Notes of a recording streamed through the bundle's transcriber, and [notes] when each was decided (s)."""
    hearing = hearing_of(bundle)
    hops = Hops(rate, hearing.spec.sample_rate, hearing.spec.hop)
    rows: list[list[float]] = []
    decided: list[float] = []
    sounding: dict[int, int] = {}
    tail = np.zeros(rate, np.float32)
    for hop, now_s in [*hops.push(np.concatenate([audio, tail])), *hops.flush()]:
        for event in hearing.step(hop, now_s):
            if isinstance(event, NoteHeard):
                sounding[event.note.pitch] = len(rows)
                rows.append([event.note.onset_s, len(audio) / rate, event.note.pitch, event.note.velocity])
                decided.append(event.note.decided_s)
            else:
                rows[sounding.pop(event.pitch)][1] = event.offset_s
    return np.array(rows, np.float64).reshape(-1, 4), np.array(decided)


def maps_takes(folder: Path) -> list[Take]:
    """Every .flac of a folder with the .tsv of labels beside it."""
    import soundfile

    paths = sorted(folder.glob("*.flac"))
    if not paths:
        raise UserError(f"There are no recordings (.flac with .tsv) in {folder}.")
    takes = []
    for path in paths:
        audio, rate = soundfile.read(path, dtype="float32")
        takes.append(Take(path.stem, audio, rate, np.loadtxt(path.with_suffix(".tsv"), comments="#", ndmin=2)))
    return takes


def right_hand_takes(cache: Path, count: int, setting: str, seed: int = 7) -> list[Take]:
    """Right hands of validation pieces on the held-out piano: `clean`, in a `room`, or with `noise` at 20 dB."""
    bank = load_bank(cache, "salamander", "evaluate")
    pieces = [p for corpus in ("pop909", "lieder") for p in load_pieces(cache, corpus, "valid")]
    if not pieces:
        raise UserError(f"No validation pieces in {cache}: run `python -m training prepare`.")
    takes = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        piece = pieces[int(rng.integers(len(pieces)))]
        heard = perform(piece, rng, EXCERPT_S, (Hand.RIGHT,))
        done = render(heard.notes, bank, EXCERPT_S, heard.pedal, rng=rng)
        audio = done.audio
        if setting == "room":
            audio = in_room(audio, room_response(0.5, 3.0, rng))
        elif setting == "noise":
            audio = with_noise(audio, rng, 20.0)
        notes = [(n.onset_s, e, n.pitch, n.velocity) for n, e in zip(heard.notes, done.sounding_end_s, strict=True)]
        if len(notes) >= 10:
            takes.append(Take(f"{piece.name} {setting}", audio, 16_000, np.array(notes, np.float64)))
    return takes


@dataclass
class Result:
    """One system on one set of takes."""

    scores: list[Score]
    cpu_s: float
    audio_s: float

    def row(self) -> str:
        """Mean over recordings, in per cent; CPU seconds per second of sound."""
        means = [100 * float(np.mean([getattr(s, f.name) for s in self.scores])) for f in fields(Score)]
        return " ".join(f"{m:7.1f}" for m in means) + f" {self.cpu_s / self.audio_s:8.4f}"


COLUMNS = ("on@50", "on@30", "prec", "recall", "C4up@50", "offset", "frame")
HEADER = " ".join([" " * 20, *(f"{column:>7}" for column in COLUMNS), f"{'CPU/s':>8}"])


def compare(bundle: Bundle, takes: list[Take], peer: BasicPitch | None) -> tuple[dict[str, Result], list[float]]:
    """Ours and the peer's variants on `takes`; and, for ours, decided_s minus the labelled onset of each hit (s)."""
    results: dict[str, Result] = {}
    delays: list[float] = []

    def add(system: str, found: Notes, take: Take, cpu_s: float) -> None:
        seconds = len(take.audio) / take.rate
        result = results.setdefault(system, Result([], 0.0, 0.0))
        result.scores.append(score(found, take.notes, seconds))
        result.cpu_s += cpu_s
        result.audio_s += seconds

    for take in tqdm(takes):
        began = time.process_time()
        found, decided = listen(bundle, take.audio, take.rate)
        add(OURS, found, take, time.process_time() - began)
        delays += [decided[j] - take.notes[i, 0] for i, j in matched(found, take.notes, 0.05)]
        if peer is not None:
            for system, (notes, cpu_s) in _peer_notes(peer, take).items():
                add(system, notes, take, cpu_s)
    return results, delays


def _peer_notes(peer: BasicPitch, take: Take) -> dict[str, tuple[Notes, float]]:
    found, cpu_s = peer.notes(take.audio, take.rate)
    return {name: (notes, cpu_s) for name, notes in found.items()}


def report(title: str, results: dict[str, Result], delays: list[float]) -> str:
    """A table for the terminal."""
    lines = [title, HEADER, *(f"{name:20s} {result.row()}" for name, result in results.items())]
    if delays:
        d = 1000 * np.array(delays)
        lines.append(
            f"decided after the labelled onset: median {np.median(d):.0f}, p95 {np.percentile(d, 95):.0f}, "
            f"s.d. {d.std():.0f} ms"
        )
    return "\n".join(lines)
