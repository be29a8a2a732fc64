"""Fits the smallest seed (early net that accompanies a melody) on Bach's chorales, and plays with it.

The net is an embedding and three LSTMs. It predicts the next note or rest of a chorale.

Each beat has four events: bass, tenor, alto and soprano, in this order. An event is a pitch class or a rest. During
playing, the soprano's events come from the played melody. The melody is known only up to the step before, so a note
that is struck on a beat arrives one beat late. The events of the other three voices are chosen from the probabilities
that the net predicts.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from device.errors import UserError
from training.experiments.seeds.data import PAUSE, Song, late, melody_of
from training.experiments.seeds.play import softmax, voiced
from training.experiments.seeds.setup import CHORALE_FIT, Chorale
from training.fitting import feed, unresumed_callbacks
from training.playing_figures.panel import Roll

Array = npt.NDArray[Any]

PADDING = 0
LOWER, MELODY = 1, 14
"""Number of the first event of the lower voices, and of the melody. Each range has 12 pitch classes, then a rest."""
EVENTS = 27
VOICES = 4
"""Number of voices of a chorale: soprano, alto, tenor and bass."""
UNITS = (6, 12, 6)
KEPT = (5, 95)
"""Percentiles of the lengths of all chorales. A chorale that is shorter or longer than these is not used in the fit."""
BEAT_STEPS = 4
"""Sixteenth steps per beat of a quarter note."""
EPOCHS, BATCH, RATE = 120, 16, 2e-2
HELD_BACK = 10
"""Every tenth chorale that is used is for the validation loss. The net is not fitted on it."""


@dataclass(frozen=True)
class Lengths:
    """Holds the sizes of the corpus and of the net, computed from the lengths of the chorales."""

    chorales: int
    in_four: int
    kept: int
    least_beats: int
    most_beats: int
    embedding: int

    @property
    def sequence(self) -> int:
        """Return the number of events of the longest chorale that the fit uses.

        Shorter chorales are padded to this length.
        """
        return VOICES * self.most_beats


def chorales(cache: Path) -> list[Array]:
    """Return the 4/4 chorales of four voices in music21's corpus, each uint8 [beats, 4].

    They have pitch classes from the bass up, and `PAUSE` for a rest. The first call writes them into a file in `cache`.
    Raises UserError if they are not in the file and music21 is not installed.
    """
    path = cache / "steps" / "seeds-chorales.npz"
    if not path.exists():
        found, number = _read()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            lengths = np.array([len(c) for c in found])
            np.savez_compressed(file, voices=np.concatenate(found), lengths=lengths, number=np.array(number))
        temporary.replace(path)
    with np.load(path) as data:
        return np.split(data["voices"], np.cumsum(data["lengths"])[:-1])


def _read() -> tuple[list[Array], int]:
    try:
        from music21 import corpus
    except ImportError:
        raise UserError("The chorales come with music21: install the extra, pip install 'lefthand[train]'.") from None
    found, number = [], 0
    for score in corpus.chorales.Iterator():
        number += 1
        times = list(score.recurse().getElementsByClass("TimeSignature"))
        if times and {time.ratioString for time in times} == {"4/4"} and len(score.parts) == VOICES:
            found.append(beats_of([_notes(part) for part in reversed(score.parts)]))
    return found, number


def _notes(part: Any) -> list[tuple[float, float, int]]:
    """Return the notes of a part as (onset, duration, MIDI pitch). Times are in quarter notes."""
    flat = part.flatten().notes
    return [(float(n.offset), float(n.quarterLength), int(n.pitches[-1].midi)) for n in flat if n.quarterLength > 0]


def beats_of(parts: list[list[tuple[float, float, int]]]) -> Array:
    """Return the pitch class that sounds in each part on each beat, uint8 [beats, parts]. `PAUSE` is a rest."""
    beats = max((math.ceil(on + long) for part in parts for on, long, _ in part), default=0)
    voices = np.full((beats, len(parts)), PAUSE, np.uint8)
    for column, part in enumerate(parts):
        for on, long, pitch in part:
            voices[math.ceil(on) : math.ceil(on + long), column] = pitch % 12
    return voices


def lengths_of(found: list[Array], number: int) -> Lengths:
    """Return the sizes of the corpus and of the net.

    They include the least and the greatest number of beats of a chorale in the fit. The width of the embedding is the
    fourth root of the number of events, rounded up. `number` is the number of all chorales, in any metre.
    """
    beats = [len(chorale) for chorale in found]
    least, most = (int(np.percentile(beats, p)) for p in KEPT)
    kept = sum(least <= n <= most for n in beats)
    return Lengths(number, len(found), kept, least, most, math.ceil(EVENTS**0.25))


def events_of(voices: Array, sequence: int, shift: int = 0) -> Array:
    """Convert voices [beats, 4] to the numbers of their events, int32 [sequence], and return them.

    `shift` transposes them by semitones. Zeros fill the rest, and voices beyond `sequence` events are cut.
    """
    moved = np.where(voices == PAUSE, PAUSE, (voices.astype(int) + shift) % 12)
    events = (moved + np.array([LOWER, LOWER, LOWER, MELODY])).ravel()[:sequence]
    return np.pad(events, (0, sequence - len(events))).astype(np.int32)


class ChoralesNet:
    """Holds the layers of the net: an embedding, LSTMs of `UNITS`, and logits of the next event."""

    def __init__(self, embedding: int) -> None:
        self.embed = layers.Embedding(EVENTS, embedding)
        self.lstms = [layers.RNN(layers.LSTMCell(n, name=f"cell_{i}"), True) for i, n in enumerate(UNITS)]
        self.out = layers.Dense(EVENTS, name="out")
        events = keras.Input((None,), dtype="int32", name="events")
        y = self.embed(events)
        for lstm in self.lstms:
            y = lstm(y)
        self.sequence = keras.Model(events, self.out(y), name="chorales")

    def step(self, batch: int) -> keras.Model:
        """Build and return a model that reads one event and predicts the next one.

        Its inputs are event [B] and two states per layer. Its outputs are logits [B, EVENTS] and the next states.
        `batch` is B.
        """
        event = keras.Input((), batch_size=batch, dtype="int32", name="event")
        inputs: dict[str, Any] = {"event": event}
        outputs: dict[str, Any] = {}
        y = self.embed(event)
        for i, lstm in enumerate(self.lstms):
            states = [keras.Input((UNITS[i],), batch_size=batch, name=f"state_{i}{half}") for half in "hc"]
            inputs |= {state.name: state for state in states}
            y, after = lstm.cell(y, states)
            outputs |= {state.name: new for state, new in zip(states, after, strict=True)}
        outputs["logits"] = self.out(y)
        return keras.Model(inputs, outputs, name="chorales_step")


class ChoraleBatches:
    """Makes the batches of a fit. In each epoch every chorale comes once, transposed to a random key.

    The same `step` always gives the same batch.
    """

    def __init__(self, found: list[Array], sequence: int) -> None:
        self.found, self.sequence = found, sequence
        self.count = math.ceil(len(found) / BATCH)

    def at(self, step: int) -> tuple[Array, Array]:
        """Return batch number `step` of the whole fit: the events [B, T - 1] and the events that follow them."""
        epoch, number = divmod(step, self.count)
        rng = np.random.default_rng([1, epoch])
        shifts = rng.integers(12, size=len(self.found))
        chosen = rng.permutation(len(self.found))[number * BATCH : (number + 1) * BATCH]
        events = np.stack([events_of(self.found[i], self.sequence, int(shifts[i])) for i in chosen])
        return events[:, :-1], events[:, 1:]


def fit_chorales(found: list[Array], lengths: Lengths, folder: Path, epochs: int = EPOCHS) -> ChoralesNet:
    """Fit a new net on those chorales `found` that have an allowed length, and return it.

    In each epoch every chorale is transposed to a random key. Every tenth chorale is held back, and the loss on these,
    in their own keys, is computed after each epoch. The weights, both losses, TensorBoard's files and facts about the
    fit are written into `folder`.
    """
    began = time.process_time()
    keras.utils.set_random_seed(1)
    net = ChoralesNet(lengths.embedding)
    kept = [c for c in found if lengths.least_beats <= len(c) <= lengths.most_beats]
    back = [c for number, c in enumerate(kept) if number % HELD_BACK == HELD_BACK - 1]
    made = ChoraleBatches([c for number, c in enumerate(kept) if number % HELD_BACK != HELD_BACK - 1], lengths.sequence)
    net.sequence.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, epochs * made.count), clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PADDING),
    )
    unheard = np.stack([events_of(c, lengths.sequence) for c in back]) if back else None
    batches = feed(made.at, made.count)
    folder.mkdir(parents=True, exist_ok=True)
    history = net.sequence.fit(
        batches,
        epochs=epochs,
        validation_data=(unheard[:, :-1], unheard[:, 1:]) if unheard is not None else None,
        callbacks=unresumed_callbacks(folder, batches),
        verbose=0,
    ).history
    net.sequence.save_weights(str(folder / "chorales.weights.h5"))
    about = {
        "parameters": net.sequence.count_params(),
        "cpu_s": round(time.process_time() - began, 1),
        **{name: getattr(lengths, name) for name in lengths.__dataclass_fields__},
        "sequence": lengths.sequence,
        **{name: round(float(values[-1]), 4) for name, values in history.items() if "loss" in name},
    }
    (folder / "config.json").write_text(json.dumps(about, indent=1))
    return net


def fitted(cache: Path, fits: bool) -> tuple[ChoralesNet, dict[str, Any]]:
    """Load the fit that all sampling methods share. Return its net and the facts about the fit.

    If the fit is missing and `fits` is true, the net is fitted first. If `fits` is false, UserError is raised.
    """
    folder = cache / "fits" / "seeds" / CHORALE_FIT
    if not (folder / "config.json").is_file():
        if not fits:
            raise UserError("The chorales have not been fitted: run one of them with --action fit first.")
        found = chorales(cache)
        with np.load(cache / "steps" / "seeds-chorales.npz") as data:
            number = int(data["number"])
        fit_chorales(found, lengths_of(found, number), folder)
    about: dict[str, Any] = json.loads((folder / "config.json").read_text())
    net = ChoralesNet(about["embedding"])
    net.sequence.load_weights(str(folder / "chorales.weights.h5"))
    return net, about


def draw(setup: Chorale, logits: Array, rng: np.random.Generator) -> Array:
    """Choose the next event of a lower voice from logits [B, 13]. Return integers 0 to 12, [B]; 12 is a rest.

    `setup.pick` says how. "greedy" takes the likeliest event. The other ways draw one by chance: "top-k" among the k
    likeliest, "top-p" among the likeliest that together reach the probability p, and "temperature" among all.
    """
    shares = softmax(logits / (setup.temperature if setup.pick == "temperature" else 1.0))
    if setup.pick == "greedy":
        return np.asarray(np.argmax(shares, axis=-1))
    order = np.argsort(-shares, axis=-1)
    ranked = np.take_along_axis(shares, order, -1)
    if setup.pick == "top-k":
        ranked[:, setup.top_k :] = 0
    elif setup.pick == "top-p":
        ranked[(np.cumsum(ranked, axis=-1) - ranked) >= setup.top_p] = 0
    edges = np.cumsum(ranked / ranked.sum(axis=-1, keepdims=True), axis=-1)
    taken = np.minimum((rng.random((len(ranked), 1)) > edges).sum(axis=-1), ranked.shape[1] - 1)
    # Rounding can leave the last edge just below 1, so an event with share 0 could be drawn.
    # The likeliest event replaces it.
    taken = np.where(np.take_along_axis(ranked, taken[:, None], -1)[:, 0] > 0, taken, 0)
    return np.asarray(np.take_along_axis(order, taken[:, None], -1)[:, 0])


def play_chorales(setup: Chorale, net: ChoralesNet, songs: list[Song], seed: int = 1) -> list[Roll]:
    """Play three lower voices to the melody of each song. Return one roll of the left hand for each song.

    The keys are struck on every beat and held until the next beat. The same `seed` gives the same notes.
    """
    rng = np.random.default_rng(seed)
    starts = [np.flatnonzero(song.positions % BEAT_STEPS == 0) for song in songs]
    beats = max(map(len, starts))
    melody = np.full((len(songs), beats), PAUSE)
    for row, song, first in zip(melody, songs, starts, strict=True):
        row[: len(first)] = known_melody(song)[first]
    model = net.step(len(songs))
    states = {t.name: np.zeros(t.shape, np.float32) for t in model.inputs if t.name != "event"}
    told = np.full((len(songs), beats, VOICES - 1), PAUSE)
    for beat in range(beats):
        event = melody[:, beat] + MELODY
        for voice in range(VOICES):
            out = model.predict_on_batch({"event": event.astype(np.int32), **states})
            states = {name: out[name] for name in states}
            if voice < VOICES - 1:
                told[:, beat, voice] = draw(setup, out["logits"][:, LOWER : LOWER + 13], rng)
                event = told[:, beat, voice] + LOWER
    return [on_beats(row, first, len(s.positions)) for row, first, s in zip(told, starts, songs, strict=True)]


def known_melody(song: Song) -> Array:
    """Return for each step of a song the pitch class of the last melody note before this step, [T].

    It is `PAUSE` if no melody note sounded in the beat before this step.
    """
    heard = melody_of(late(song.right_sounding))
    newest = np.maximum.accumulate(np.where(heard.any(axis=1), np.arange(len(heard)), -BEAT_STEPS - 1))
    recent = newest > np.arange(len(heard)) - BEAT_STEPS
    return np.where(recent, np.argmax(heard[np.maximum(newest, 0)], axis=1), PAUSE)


def on_beats(told: Array, starts: Array, steps: int) -> Roll:
    """Convert voices [beats, 3] to a left hand, and return it as a roll of `steps` steps.

    `starts` gives the step at which each beat begins.
    """
    classes, struck = np.zeros((2, steps, 12), bool)
    ends = np.append(starts[1:], steps)
    for voices, first, end in zip(told, starts, ends, strict=False):
        sounding = voices[voices != PAUSE]
        classes[first:end, sounding] = True
        struck[first, sounding] = True
    return voiced(classes, struck)
