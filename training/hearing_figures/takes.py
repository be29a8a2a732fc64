"""Makes the takes that measure how well the device hears. A take is a recording with the notes that were played in it.

There are real recordings, rendered right hands, and recordings without a piano.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from device.assemble import left_hand_of
from device.bundles.bundle import Bundle
from device.engine import Engine
from device.errors import UserError
from device.events import Note
from device.files.midi.file import notes_of
from device.files.midi.notes import Part
from device.files.midi_run import play_midi
from device.hearing.features import Samples
from device.make_clock import make_clock
from training.corpora.pieces import HandLabel, load_pieces
from training.note_scores import Notes
from training.pianos.banks import Bank, load_bank
from training.scenes.acoustics import in_room, room_response
from training.scenes.augment import with_noise
from training.scenes.noise import hum, load_clips, unit_rms
from training.scenes.perform import PlayedScore, perform
from training.scenes.render import Played, render
from training.scenes.voices import utterances

RATE = 16_000
"""Sample rate of rendered takes in Hz: the rate of the note banks."""
EXCERPT_S = 30.0
"""Seconds of a rendered take."""
HELD_OUT = "salamander"
"""Name of the piano that no training uses, so that figures show how well an unknown piano is heard."""

Sent = list[tuple[int, float, float]]
"""Notes that the device has sent: MIDI pitch, start and end in seconds."""


@dataclass(frozen=True)
class Bleed:
    """Describes how the left hand that the device plays comes back into its own microphone or input.

    `below_db` is its level below the player in dB. `late_s` is the range of its delay in seconds. `in_room` says
    whether it comes through the air of a room. `ours` says whether the device's models play the left hand; if not, it
    is the piece's own left hand.
    """

    below_db: float
    late_s: tuple[float, float]
    in_room: bool
    ours: bool = False


SETTINGS: dict[str, Bleed | None] = {
    "clean": None,
    "room": None,
    "noise": None,
    "bleed -12 dB": Bleed(12.0, (0.02, 0.08), in_room=True),
    "bleed -6 dB": Bleed(6.0, (0.02, 0.08), in_room=True),
    "line-out 0 dB": Bleed(0.0, (0.005, 0.02), in_room=False),
    "ours -6 dB": Bleed(6.0, (0.02, 0.12), in_room=True, ours=True),
    "ours line-out 0 dB": Bleed(0.0, (0.005, 0.02), in_room=False, ours=True),
}
"""The ways in which the sound of a right hand reaches the device, by name.

The value is the bleed of the device's left hand in that sound, or None if the sound has no left hand.
"""
REAL, QUIET = "maps", "quiet"
"""Names of the real recordings, and of the sound without a piano."""


@dataclass(frozen=True)
class Take:
    """A recording, its labels, and the notes that the device sent during it."""

    name: str
    audio: Samples
    rate: int
    notes: Notes
    sent: Sent = field(default_factory=list)


def maps_takes(folder: Path) -> list[Take]:
    """Return a take of every .flac in a folder, sorted by name. The labels come from the .tsv beside it.

    Raises UserError if there is no .flac.
    """
    paths = sorted(folder.glob("*.flac"))
    if not paths:
        raise UserError(f"There are no recordings (.flac with .tsv) in {folder}.")
    takes = []
    for path in paths:
        audio, rate = soundfile.read(path, dtype="float32")
        takes.append(Take(path.stem, audio, rate, np.loadtxt(path.with_suffix(".tsv"), comments="#", ndmin=2)))
    return takes


def takes_of(name: str, bundle: Bundle, cache: Path, data: Path, count: int) -> list[Take]:
    """Return the takes of the setting `name`: the real recordings in `data` if it is `REAL`, else rendered right hands.

    Raises UserError if the recordings or the pieces are missing.
    """
    if name == REAL:
        return maps_takes(data / "maps-enstdkcl")
    return right_hand_takes(cache, count, name, bundle=bundle)


def excerpt(take: Take, seconds: float) -> Take:
    """Return the first `seconds` of a take: its sound, its labelled notes and the notes that the device sent.

    A note is kept if it begins in that time. A note that lasts longer ends at `seconds`.
    """
    notes = take.notes[take.notes[:, 0] < seconds].copy()
    notes[:, 1] = np.minimum(notes[:, 1], seconds)
    sent = [(pitch, on_s, min(off_s, seconds)) for pitch, on_s, off_s in take.sent if on_s < seconds]
    return Take(take.name, take.audio[: int(seconds * take.rate)], take.rate, notes, sent)


def right_hand_takes(cache: Path, count: int, setting: str, seed: int = 7, bundle: Bundle | None = None) -> list[Take]:
    """Return up to `count` takes: right hands of validation pieces on the held-out piano, in one of `SETTINGS`.

    Excerpts with fewer than 10 notes are left out. `bundle` plays the left hand in the settings with `ours`. Raises
    UserError if `cache` holds no validation pieces, and ValueError if such a setting has no `bundle`.
    """
    bank = load_bank(cache, HELD_OUT, "evaluate")
    pieces = [p for corpus in ("pop909", "lieder") for p in load_pieces(cache, corpus, "valid")]
    if not pieces:
        raise UserError(f"No validation pieces in {cache}: run `python -m training prepare`.")
    bleed = SETTINGS[setting]
    takes = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        piece = pieces[int(rng.integers(len(pieces)))]
        heard = perform(piece, rng, EXCERPT_S, (HandLabel.RIGHT,))
        done = render(heard.notes, bank, EXCERPT_S, heard.pedal, rng=rng)
        audio, sent = done.audio, []
        if setting == "room":
            audio = in_room(audio, room_response(0.5, 3.0, rng))
        elif setting == "noise":
            audio = with_noise(audio, rng, 20.0)
        elif bleed is not None:
            left = perform(piece, rng, EXCERPT_S, (HandLabel.LEFT,), like=heard)
            if bleed.ours:
                left = left_hand_to(heard, bundle)
            audio = audio + _come_back(left, bank, audio, bleed, rng)
            sent = [(n.pitch, n.onset_s, n.offset_s) for n in left.notes]
        notes = [(n.onset_s, e, n.pitch, n.velocity) for n, e in zip(heard.notes, done.end_s, strict=True)]
        if len(notes) >= 10:
            takes.append(Take(f"{piece.name} {setting}", audio, RATE, np.array(notes, np.float64), sent))
    return takes


def left_hand_to(heard: PlayedScore, bundle: Bundle | None) -> PlayedScore:
    """Return the left hand that the models of `bundle` play to the right hand `heard`.

    The right hand arrives as MIDI notes. The clock follows it without a count-in. Raises ValueError if `bundle` is
    None.
    """
    if bundle is None:
        raise ValueError("whose left hand? give the bundle")
    right = tuple(Note(n.onset_s, n.offset_s, n.pitch, n.velocity, 1.0, n.onset_s, "right") for n in heard.notes)
    part = Part(0, "", right, False, EXCERPT_S)
    engine = Engine(clock=make_clock("follow", count_in=0), player=left_hand_of(bundle))
    played = notes_of(play_midi(engine, part, bundle.features.hop_s).sends)
    notes = [Played(n.onset_s, min(n.offset_s or EXCERPT_S, EXCERPT_S), n.pitch, n.velocity) for n in played]
    return PlayedScore([note for note in notes if note.onset_s < EXCERPT_S], [])


def _come_back(left: PlayedScore, bank: Bank, right: Samples, bleed: Bleed, rng: np.random.Generator) -> Samples:
    """Return the sound of the left hand `left` as it comes back into the device's input.

    The delay of the cable or of the room is the same for all notes. The level is relative to the sound `right`.
    """
    late = float(rng.uniform(*bleed.late_s))
    notes = [Played(n.onset_s + late, n.offset_s + late, n.pitch, n.velocity) for n in left.notes]
    audio = render(notes, bank, EXCERPT_S, left.pedal, rng=rng).audio
    if bleed.in_room:
        audio = in_room(audio, room_response(0.5, 3.0, rng))
    level = np.sqrt(np.mean(right**2) / max(float(np.mean(audio**2)), 1e-12))
    return np.asarray(audio * level * 10 ** (-bleed.below_db / 20), np.float32)


QUIET_DB = (-50.0, -20.0)
"""Lowest and highest RMS of sound without a piano, in dB full scale.

The level is random, with equal probability everywhere between them.
"""


def quiet_takes(data: Path, minutes: float = 10.0, seed: int = 3) -> list[Take]:
    """Return four takes without a piano, `minutes` long in all. A quarter of the time belongs to each.

    They are noise clips that no training has used, voices of espeak-ng, mains hum, and silence.
    """
    rng = np.random.default_rng(seed)
    samples = int(minutes * 60 / 4 * RATE)
    clips = load_clips(data, "evaluate")
    order = rng.permutation(len(clips))
    kinds = {
        "noise clips": _filled((clips[i] for i in np.tile(order, 50)), samples),
        "voices": _filled(utterances(rng, "evaluate"), samples),
        "hum": _filled((hum(8 * RATE, rng) for _ in range(100)), samples),
    }
    none = np.zeros((0, 4))
    takes = []
    for name, sound in kinds.items():
        # a new level every ten seconds
        level = 10 ** (np.repeat(rng.uniform(*QUIET_DB, samples // (10 * RATE) + 1), 10 * RATE)[:samples] / 20)
        takes.append(Take(name, np.clip(sound * level, -1, 1).astype(np.float32), RATE, none))
    return [*takes, Take("silence", np.zeros(samples, np.float32), RATE, none)]


def _filled(sounds: Iterator[Samples], samples: int) -> Samples:
    """Join sounds from `sounds` one after another, each scaled to an RMS of 1, and return `samples` samples.

    The last sound is cut. Raises StopIteration if there are too few sounds.
    """
    parts: list[Samples] = []
    while sum(map(len, parts)) < samples:
        parts.append(unit_rms(next(sounds)))
    return np.concatenate(parts)[:samples]
