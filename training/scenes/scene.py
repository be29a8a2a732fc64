"""Makes scenes, which train the transcriber.

A scene is 24 s of sound features, the notes that the transcriber must find in them, and the notes that the box sent.

`training.scenes.cache` renders and stores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device.events import KEYS, LOWEST_KEY
from device.hearing.features import Features, FeatureSpec
from device.hearing.own_notes import OwnNotes
from training.corpora.pieces import HandLabel, Piece
from training.pianos.banks import Bank
from training.pianos.instruments import MODAL
from training.pianos.renderer import Audio
from training.scenes.augment import CHANGES, Augmentation, augment, with_noise
from training.scenes.perform import PlayedScore, invent, perform
from training.scenes.render import Played, RenderOptions, render

SCENE_S = 24.0
"""Seconds of a scene."""
RESTS = 0.3
"""Probability that the player rests for a while in a scene in which the box plays the left hand."""
KINDS = {"both": 0.5, "right": 0.17, "bleed": 0.33}
"""Audible hands and their probabilities: both hands of the pianist, the right hand alone ("right"), or the right hand
and the box's own left hand ("bleed")."""

GATE = "gate"
"""Name of the split on which the gate is fitted. The gate turns the transcriber's outputs into notes.

The scenes of this split come from validation pieces. They are changed mildly, as in a quiet home, and the box does not
play in them.
"""
MILD = 0.4
"""Strength (0 to 1) of the augmentation in the scenes of the split `GATE`."""
WIRED = 0.5
"""Probability that the box's left hand returns through a cable and not through the air of a room."""
OTHER_SOUND = 0.3
"""Probability that a left hand which returns through a cable has another sound than the player's piano.

Such a sound can come from a sound module.
"""
PEDALLED = 0.55
"""Probability that a piece is played with the pedal. The recordings that measure hearing use the pedal less often."""
DETUNE = "detune"
COLOURS = (DETUNE, *CHANGES)
"""Names of all random changes of the sound. They make two scenes with the same notes and piano sound different."""
SOFT = 0.4
"""Probability that a piece is played softly throughout. Soft strokes are missed most, so there are more in a fit."""
SAMPLED, ELECTRIC, COMPUTED = 3.0, 2.0, 0.5
"""Weights of a sampled acoustic piano, an electric one and a computed one in the choice of a scene's piano.

There are many computed pianos. Most notes are missed on electric ones.
"""

SCENE_NOTE = np.dtype([("onset_s", "<f8"), ("offset_s", "<f8"), ("pitch", "u1"), ("velocity", "u1")])


@dataclass(frozen=True)
class Scene:
    """A training example of the transcriber.

    `features` uint8 [frames, bins, channels] are levels times 255. `notes` are the notes to find, of type `SCENE_NOTE`.
    `own` uint8 [frames, 88, 2] are the notes that the box sent. `own` has no frames if the box sent none.
    """

    features: npt.NDArray[np.uint8]
    notes: npt.NDArray[Any]
    own: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sound:
    """The sound of a scene: `audio` at the rate of `device.hearing.features`.

    `notes` are the notes to find. `sent` are the notes that the box sent during the scene.
    """

    audio: Audio
    notes: npt.NDArray[Any]
    sent: list[Played] | None


def draw(
    rng: np.random.Generator,
    pieces: list[Piece],
    banks: list[Bank],
    clips: list[Audio],
    features: Features,
    mild: bool = False,
    kind: str | None = None,
    without: str = "",
    talk: list[Audio] | None = None,
) -> Scene:
    """Return a random scene from one of `pieces`, or from random notes if the list is empty.

    `mild` is true for scenes of the split `GATE`. `kind` is one of `KINDS`, or None for a random one. `without` names
    the one of `COLOURS` that is left out, to measure its effect. `talk` are recorded voices in the room.
    """
    sound = draw_sound(rng, pieces, banks=banks, clips=clips, mild=mild, kind=kind, without=without, talk=talk)
    own = np.zeros((0, KEYS, 2), np.uint8) if sound.sent is None else own_frames(sound.sent, features.spec)
    levels = features.frames(sound.audio)
    return Scene(np.rint(levels * 255).astype(np.uint8), sound.notes, own)


def draw_sound(
    rng: np.random.Generator,
    pieces: list[Piece],
    banks: list[Bank],
    clips: list[Audio],
    mild: bool = False,
    kind: str | None = None,
    without: str = "",
    talk: list[Audio] | None = None,
) -> Sound:
    """Return the random sound from which `draw` computes features. If `mild` is true, it is changed little.

    A mild sound has no notes of the box. See `draw` for the other arguments.
    """
    drawn = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    kind = (kind or drawn) if pieces else "both"
    if mild and kind == "bleed":
        kind = "right"
    if pieces:
        piece = pieces[int(rng.integers(len(pieces)))]
        hands = (
            (HandLabel.RIGHT, HandLabel.VOICE) if kind == "right" and piece.corpus == "pop909" else (HandLabel.RIGHT,)
        )
        played = tuple(HandLabel) if kind == "both" else hands
        heard = perform(piece, rng, SCENE_S, played, pedalled=PEDALLED, soft=SOFT)
    else:
        heard = invent(rng, SCENE_S)
    if kind == "bleed" and rng.random() < RESTS:
        heard = _with_rest(heard, rng)
    bank = _any(rng, banks)
    options = RenderOptions.drawn(rng)
    if without == DETUNE:
        options = replace(options, detune_cents=0.0, key_cents=0.0)
    rendered = render(heard.notes, bank, SCENE_S, heard.pedal, options, rng)
    audio, sent = rendered.audio, None
    if kind == "bleed":
        left = perform(piece, rng, SCENE_S, (HandLabel.LEFT,), like=heard, pedalled=PEDALLED, soft=SOFT)
        left = _anywhere(left, heard, rng)
        audio, sent = audio + _bleed(rng, left, banks, audio, bank, options), left.notes
    if not heard.notes:
        hiss = rng.normal(0, 1, len(audio)).astype(np.float32)
        audio = with_noise(hiss * np.float32(1e-3), rng, -20.0, 0.5, clips)
    colour = Augmentation(strength=MILD if mild else 1.0)
    audio = augment(audio, rng, colour.without(without) if without in CHANGES else colour, clips, talk)
    return Sound(audio, _labels(heard.notes, rendered.end_s), sent)


def draw_quiet(rng: np.random.Generator, clips: list[Audio], voices: Iterator[Audio], features: Features) -> Scene:
    """Return a random scene without a piano, at a random level. `voices` yields spoken utterances."""
    samples = int(SCENE_S * features.spec.sample_rate)
    if rng.random() < 0.6:
        audio = np.zeros(0, np.float32)
        while len(audio) < samples:
            rest = np.zeros(int(rng.exponential(0.3) * features.spec.sample_rate), np.float32)
            audio = np.concatenate([audio, next(voices), rest])
        audio = audio[:samples] + with_noise(np.zeros(samples, np.float32), rng, 20.0)
    else:
        audio = with_noise(np.zeros(samples, np.float32), rng, -20.0, 0.8, clips)
    levels = features.frames(augment(audio, rng, Augmentation(peak_db=(0.0, -45.0)), clips))
    none = np.array([], SCENE_NOTE)
    return Scene(np.rint(levels * 255).astype(np.uint8), none, np.zeros((0, KEYS, 2), np.uint8))


def _any(rng: np.random.Generator, banks: list[Bank]) -> Bank:
    """Return a random bank.

    All banks of one timbre together have one weight: `SAMPLED` for a sampled acoustic piano, `COMPUTED` for a computed
    one, `ELECTRIC` for an electric one.
    """
    timbres = [bank.timbre for bank in banks]
    factors = [COMPUTED if bank.timbre.startswith(MODAL) else SAMPLED if bank.acoustic else ELECTRIC for bank in banks]
    weight = np.array([factor / timbres.count(t) for factor, t in zip(factors, timbres, strict=True)])
    return banks[int(rng.choice(len(banks), p=weight / weight.sum()))]


def _with_rest(heard: PlayedScore, rng: np.random.Generator) -> PlayedScore:
    """Return `heard` without the player's notes in a random span of 3 to 9 s, in which only the box is audible."""
    begin = float(rng.uniform(0, SCENE_S))
    end = begin + float(rng.uniform(3, 9))
    return replace(heard, notes=[note for note in heard.notes if not begin <= note.onset_s < end])


def _anywhere(left: PlayedScore, heard: PlayedScore, rng: np.random.Generator) -> PlayedScore:
    """Return the box's left hand `left` with random changes.

    It may move into the register of the player's notes `heard`, or strike some keys together with the player.
    """
    octaves = 12 * int(rng.choice([0, 1, 2], p=[0.55, 0.3, 0.15]))
    notes = [
        note._replace(pitch=note.pitch + octaves) for note in left.notes if note.pitch + octaves < LOWEST_KEY + KEYS
    ]
    share = float(rng.choice([0.0, 0.15], p=[0.6, 0.4]))
    for note in heard.notes:
        if rng.random() < share:
            apart = float(rng.normal(0, 0.02))
            notes.append(note._replace(onset_s=note.onset_s + apart, offset_s=note.offset_s + apart))
    return replace(left, notes=sorted(notes))


def _bleed(
    rng: np.random.Generator,
    sent: PlayedScore,
    banks: list[Bank],
    right: npt.NDArray[np.float32],
    bank: Bank,
    options: RenderOptions,
) -> npt.NDArray[np.float32]:
    """Return the sound of the box's left hand as the box's input receives it, delayed by a cable or a room.

    The level lies between inaudible and as loud as the player. A cable usually comes from the player's own keyboard,
    so the notes then have the same `bank` and the same `options`.
    """
    wire = rng.random() < WIRED
    late = rng.uniform(0.005, 0.02) if wire else rng.uniform(0.02, 0.2)
    below_db = 80.0 if rng.random() < 0.12 else rng.uniform(-3, 3) if wire else rng.uniform(0, 18)
    if not wire or rng.random() < OTHER_SOUND:
        bank, options = _any(rng, banks), RenderOptions.drawn(rng)
    notes = [n._replace(onset_s=n.onset_s + late, offset_s=n.offset_s + late) for n in sent.notes]
    audio = render(notes, bank, SCENE_S, sent.pedal, options, rng).audio
    level = np.sqrt(np.mean(right**2) + 1e-12) / np.sqrt(np.mean(audio**2) + 1e-12)
    return (audio * level * 10 ** (-below_db / 20)).astype(np.float32)


def own_frames(notes: list[Played], spec: FeatureSpec) -> npt.NDArray[np.uint8]:
    """Return the transcriber's input `own`, uint8 [frames, 88, 2], if the device sends these notes during the scene."""
    own = OwnNotes()
    waiting = sorted(notes)
    frames = int(SCENE_S * spec.sample_rate) // spec.hop
    out = np.zeros((frames, KEYS, 2), np.uint8)
    for k in range(frames):
        now = (k + 1) * spec.hop_s
        while waiting and waiting[0].onset_s < now:
            note = waiting.pop(0)
            own.note_on(note.pitch, note.onset_s, note.offset_s)
        out[k] = np.rint(own.frame(now)[0] * 255)
    return out


def _labels(notes: list[Played], ends: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    rows = [
        (n.onset_s, end, n.pitch, n.velocity)
        for n, end in zip(notes, ends, strict=True)
        if 0 <= n.onset_s < SCENE_S and LOWEST_KEY <= n.pitch < LOWEST_KEY + KEYS
    ]
    return np.array(rows, SCENE_NOTE)


def targets(
    notes: npt.NDArray[Any], first: int, frames: int, delay: int | npt.NDArray[np.int64], hop_s: float
) -> npt.NDArray[np.float32]:
    """Return the targets of the net, [frames, 88, 4], for `frames` frames from frame `first` on.

    The last axis is onset, frame (1 while the note sounds), offset and velocity. The targets come `delay` frames later
    than the sound, because the net looks ahead. Frame k holds the samples from k to k + 1 hops. Onset and offset are
    also marked one frame before and after, because the exact position of an onset within a frame is not audible.
    """
    out = np.zeros((frames, KEYS, 4), np.float32)
    late = np.broadcast_to(delay, KEYS)[notes["pitch"].astype(int) - LOWEST_KEY] - first
    onsets = np.floor(notes["onset_s"] / hop_s).astype(int) + late
    offsets = np.floor(notes["offset_s"] / hop_s).astype(int) + late
    for on, off, pitch, velocity in zip(onsets, offsets, notes["pitch"], notes["velocity"], strict=True):
        if off < -1 or on > frames:
            continue
        key = int(pitch) - LOWEST_KEY
        out[max(on, 0) : max(off, on + 1, 0), key, 1] = 1
        out[max(off - 1, 0) : max(off + 2, 0), key, 2] = 1
        out[max(on - 1, 0) : max(on + 2, 0), key, 0] = 1
        out[max(on - 1, 0) : max(on + 2, 0), key, 3] = velocity / 127
    return out
