"""Measures how much worse the device hears right hands that are detuned, far away or on other pianos.

A way is one such condition, such as a far microphone. Each way renders the same pieces with the same strokes. So the
difference between its figures and those of the way "clean" is what the condition costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soxr
from scipy.signal import butter

from device.assemble import hearing_of
from device.bundles.bundle import Bundle
from device.errors import UserError
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.hearing_figures.measure import listen
from training.hearing_figures.takes import EXCERPT_S, HELD_OUT, RATE, Take
from training.note_scores import Score, score
from training.pianos.banks import load_bank
from training.pianos.renderer import Audio
from training.scenes.acoustics import in_room, room_response, shelf_section, through_microphone
from training.scenes.augment import gain_controlled, with_noise
from training.scenes.perform import perform
from training.scenes.render import render
from training.scenes.voices import utterances

Change: TypeAlias = Callable[[Audio, np.random.Generator], Audio]
"""A function that changes a sound, float32 [samples] at 16 kHz. Length and onsets stay the same."""

FEWEST_NOTES = 10
"""A piece with fewer notes in its excerpt is left out."""
HALL_S, HALL_DB = 2.0, 0.0
"""Reverberation time of the hall in seconds, and level of the direct sound above the reverberation in dB."""
FAR_S, FAR_DB = 0.6, -6.0
"""Reverberation time in seconds and level of the direct sound in dB, for a microphone 3 to 4 m away in a living room.

The reverberation is louder than the direct sound.
"""
SPEECH_DB, NOISE_DB = 10.0, 20.0
"""Level of the piano above the voice and above the noise in dB."""
PHONE_GAIN_DB, PHONE_HZ = 18.0, 7_000.0
"""Largest gain of the telephone's automatic level, and its cut-off in Hz."""
LID_HZ, LID_DB = 1_500.0, -9.0
"""Effect of a closed lid: the frequency in Hz above which it changes the level, and the change in dB."""
MOST_POINTS = 3.0
"""Largest drop of the onset F1, in points (hundredths), that is accepted for a way. The table marks a larger one."""


def detuned(audio: Audio, cents: float) -> Audio:
    """Return `audio` tuned `cents` higher, as a recording that is played faster.

    Its length and the times of the strokes change too: see `Way.stretch`.
    """
    return np.asarray(soxr.resample(audio, RATE, RATE / 2 ** (cents / 1200), "VHQ"), np.float32)


def _hall(audio: Audio, rng: np.random.Generator) -> Audio:
    return in_room(audio, room_response(HALL_S, HALL_DB, rng))


def _far(audio: Audio, rng: np.random.Generator) -> Audio:
    return in_room(audio, room_response(FAR_S, FAR_DB, rng))


def _talk(audio: Audio, rng: np.random.Generator) -> Audio:
    voices = utterances(rng, "evaluate")
    said: list[Audio] = []
    while sum(map(len, said)) < len(audio):
        said.append(next(voices))
    return with_noise(audio, rng, SPEECH_DB, 1.0, [np.concatenate(said)])


def _noise(audio: Audio, rng: np.random.Generator) -> Audio:
    return with_noise(audio, rng, NOISE_DB)


def _phone(audio: Audio, rng: np.random.Generator) -> Audio:
    cut = butter(4, PHONE_HZ, fs=RATE, output="sos")
    return through_microphone(gain_controlled(audio, rng, PHONE_GAIN_DB), cut)


def _lid(audio: Audio, rng: np.random.Generator) -> Audio:
    return through_microphone(audio, shelf_section(LID_HZ, LID_DB, high=True)[None])


@dataclass(frozen=True)
class Way:
    """Describes how the right hand reaches the device: the note bank, the detuning in cents, a change of the sound.

    If `told` is true, the settings of the device contain the detuning. Otherwise the device must measure it. Half a
    semitone flat and half a semitone sharp sound alike, except for the names of the keys, so that the device cannot
    measure these two reliably.
    """

    bank: str = HELD_OUT
    cents: float = 0.0
    change: Change | None = None
    told: bool = False

    @property
    def stretch(self) -> float:
        """Return the factor by which detuning makes the take longer: above 1 if it is flat, below 1 if it is sharp."""
        return float(2 ** (-self.cents / 1200))


CLEAN = "clean"
WAYS: dict[str, Way] = {
    CLEAN: Way(),
    "25 cents flat": Way(cents=-25),
    "25 cents sharp": Way(cents=25),
    "50 cents flat, told": Way(cents=-50, told=True),
    "50 cents sharp, told": Way(cents=50, told=True),
    "hall, 2 s": Way(change=_hall),
    "speech, 10 dB below": Way(change=_talk),
    "far microphone": Way(change=_far),
    "phone: level control, 7 kHz": Way(change=_phone),
    "noise, 20 dB below": Way(change=_noise),
    "lid closed": Way(change=_lid),
    "honky-tonk": Way("timgm_honky_tonk"),
    "electric piano, tines": Way("rhodes"),
    "electric piano, FM": Way("timgm_electric1"),
    "electric grand": Way("cp80"),
    "church organ": Way("timgm_organ"),
    "strings": Way("timgm_strings"),
}
"""The ways by name.

Training has used the pianos other than the held-out one, with other pieces. It has used no organ and no strings.
"""


def takes(cache: Path, way: Way, count: int, seed: int = 7) -> list[Take]:
    """Return takes of up to `count` right hands of validation pieces, changed by `way`. All ways have the same strokes.

    An excerpt with fewer than `FEWEST_NOTES` notes is left out. Raises UserError if `cache` holds no validation pieces,
    or not the note bank of the way.
    """
    pieces = [piece for corpus in ("pop909", "lieder") for piece in load_pieces(cache, corpus, "valid")]
    if not pieces:
        raise UserError(f"No validation pieces in {cache}: run `python -m training prepare`.")
    return [take for number in range(count) if (take := _take(cache, pieces, way, [seed, number])) is not None]


def _take(cache: Path, pieces: list[Piece], way: Way, seed: list[int]) -> Take | None:
    rng = np.random.default_rng(seed)
    piece = pieces[int(rng.integers(len(pieces)))]
    heard = perform(piece, rng, EXCERPT_S, (HandLabel.RIGHT,))
    if len(heard.notes) < FEWEST_NOTES:
        return None
    bank = load_bank(cache, way.bank, "evaluate")
    # the strokes and the change have generators of their own, so that one way's draws do not move another's
    done = render(heard.notes, bank, EXCERPT_S, heard.pedal, rng=np.random.default_rng([*seed, 1]))
    audio = done.audio
    if way.cents:
        audio = detuned(audio, way.cents)
    if way.change is not None:
        audio = way.change(audio, np.random.default_rng([*seed, 2]))
    rows = [
        (note.onset_s * way.stretch, end_s * way.stretch, note.pitch, note.velocity)
        for note, end_s in zip(heard.notes, done.end_s, strict=True)
    ]
    return Take(piece.name, audio, RATE, np.array(rows, np.float64))


def measured(bundle: Bundle, cache: Path, names: Sequence[str], count: int) -> Iterator[tuple[str, list[Score]]]:
    """Yield the name of each way and the scores of its takes. The clean way comes first.

    Each take is heard by a transcriber that has just started. It measures the tuning while it hears, unless its
    settings contain the tuning.
    """
    for name in (CLEAN, *(name for name in names if name != CLEAN)):
        way = WAYS[name]
        scores = []
        for take in takes(cache, way, count):
            hearing = hearing_of(bundle, tuning=way.cents if way.told else 0.0, adapts=not way.told)
            scores.append(score(listen(hearing, take).notes, take.notes, len(take.audio) / take.rate))
        yield name, scores


HEADER = "| way | on@50 | cost | on@30 | prec. | recall | C4 up | offset |\n|---|---|---|---|---|---|---|---|"


def row(name: str, scores: list[Score], clean: list[Score]) -> str:
    """Return a row of the table as Markdown: means in per cent, and the points that the way costs against `clean`."""
    shown = ("onset_50", "onset_30", "precision", "recall", "treble", "offset")

    def mean(of: list[Score], field: str) -> float:
        return 100 * float(np.mean([getattr(score, field) for score in of]))

    first, *others = (f"{mean(scores, field):.1f}" for field in shown)
    cost = mean(clean, "onset_50") - mean(scores, "onset_50")
    mark = " **over**" if cost > MOST_POINTS else ""
    return f"| {name} | {first} | {'' if name == CLEAN else f'{cost:.1f}{mark}'} | {' | '.join(others)} |"
