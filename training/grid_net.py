"""Fits the net of `device.following.grid_net`: which tempo and place of the beat the last onsets fit best.

Right hands and voices of scores are played in even time, at a tempo that is drawn and with random errors of the onsets.
The sum of the net's scores over the first 4 to 56 onsets of a stretch must be greatest for the true grid, among all
levels of the tempo and all places. The fit needs no performance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt

from device.errors import UserError
from device.following.beat_net import METER_FLAGS, meter_flags
from device.following.grid_features import OF_ONSET, GridFeatures
from device.following.grid_frame import LEVELS
from device.following.grid_net import AFTER, BEFORE, BINS, FILE, PLACES, SEEN, SHORTEST_S
from device.following.place_net import GAP_BINS, gap_shares
from training.corpora.pieces import CORPORA, HandLabel, Piece, load_pieces
from training.options import CACHE
from training.playing_figures.clock import longest_stretch
from training.scored_hands import CHORD_BEATS

Array = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

JUDGED, SUMS = 56, (4, 8, 14, 24, 40, 56)
"""Onsets of a stretch in the fit, and the numbers of onsets whose scores are added up."""
LEAST_ONSETS = 24
"""A hand with fewer onsets is left out."""
TEMPI = (45.0, 170.0)
"""Lowest and highest tempo in felt beats a minute, drawn evenly on a logarithmic scale."""
TIMING_S = (0.01, 0.028)
"""Least and greatest standard deviation of the errors of the onsets in seconds."""
FROM_BEGIN = 0.4
"""Share of the stretches that are the first onsets of a hand, so that the net also sees no onsets before the music."""
SHARES = {"pop909": 0.25, "chopin": 0.15, "lieder": 0.45, "voice": 0.15}
"""Shares of the stretches: by corpus, and the voices of the Lieder."""
LONGEST = 300
"""A hand is drawn as often as it has onsets, but no more often than one with this number."""
UNITS, LATER, PRIOR_UNITS = 48, 32, 16
"""Sizes of the two hidden layers, and of that of the tempo alone."""
DROPPED, DROPPED_HIDDEN = 0.12, 0.25
"""Shares of the features and of the first layer that are left out by chance."""
RATE, RIDGE, BATCH, STEPS = 3e-3, 1e-4, 28, 2600
"""Greatest learning rate (it falls to 0), weight of the squares, stretches in a step, and the number of steps."""
ONE = int(np.abs(LEVELS - 1).argmin())
NEAR = 2
"""A grid counts as right if it is off by at most so many twenty-fourths of a beat."""


class Hand(NamedTuple):
    """Holds one hand: corpus (or "voice"), place of each onset in felt beats [n], features [n, OF_ONSET], metre."""

    kind: str
    place: Array
    onsets: Singles
    flags: Singles


class Batch(NamedTuple):
    """Holds b stretches: what the net sees, where the onsets lie, and which of them are judged."""

    gaps: Singles
    """[b, levels, BEFORE + JUDGED + AFTER, BINS]"""
    onsets: Singles
    """[b, BEFORE + JUDGED + AFTER, OF_ONSET]"""
    place: Singles
    """Place of each onset in beats of each level [b, levels, JUDGED]."""
    judged: Singles
    """1 for an onset that is judged, else 0 [b, JUDGED]."""
    context: Singles
    """Metre, and the binary logarithm of the beat in seconds with its square [b, levels, METER_FLAGS + 2]."""


def hands_of(piece: Piece) -> Iterator[Hand]:
    """Yield the right hand and the voice of the piece, if they are long enough and the clock knows the metre."""
    begin, stop, meter = longest_stretch(piece)
    for label in (HandLabel.RIGHT, HandLabel.VOICE):
        notes = piece.of(label)
        notes = notes[(notes["onset"] >= begin - 1e-6) & (notes["onset"] < stop)]
        place = (notes["onset"].astype(np.float64) - begin) / float(meter.beat_quarters)
        first = np.append(True, np.diff(place) > CHORD_BEATS).nonzero()[0] if len(notes) else np.zeros(0, np.int64)
        if len(first) < LEAST_ONSETS or not meter.listed:
            continue
        heard, pitch = GridFeatures(), notes["pitch"].tolist()
        ends = [*first[1:].tolist(), len(pitch)]
        onsets = np.array([heard.hear(frozenset(pitch[i:j])) for i, j in zip(first.tolist(), ends, strict=True)])
        kind = "voice" if label == HandLabel.VOICE and piece.corpus == "lieder" else piece.corpus
        yield Hand(kind, place[first], onsets, np.array(meter_flags(meter), np.float32))


def hands(cache: Path, split: str) -> list[Hand]:
    """Return all hands of a split. Raises UserError if the cache has no pieces of one corpus."""
    found = []
    for corpus in CORPORA:
        pieces = [piece for piece in load_pieces(cache, corpus, split) if piece.primary and len(piece.downbeats)]
        if not pieces:
            raise UserError(f"No pieces of {corpus} in {cache / 'pieces'}: run `python -m training prepare` first.")
        found += [hand for piece in pieces for hand in hands_of(piece)]
    return found


def chances(found: list[Hand], shares: dict[str, float]) -> Array:
    """Return the probability [n] with which each hand is drawn, so that each kind has its share."""
    out = np.array([float(min(len(hand.place), LONGEST)) for hand in found])
    kinds = np.array([hand.kind for hand in found])
    for kind in set(kinds.tolist()):
        out[kinds == kind] *= shares.get(kind, 0.0) / out[kinds == kind].sum()
    return out / out.sum()


def drawn(found: list[Hand], chance: Array, number: int, rng: np.random.Generator) -> Batch:
    """Return `number` stretches of hands, played in even time."""
    shape, size = (number, len(LEVELS)), BEFORE + JUDGED + AFTER
    gaps = np.zeros((*shape, size, BINS), np.float32)
    gaps[..., GAP_BINS] = 1.0
    onsets, place = np.zeros((number, size, OF_ONSET), np.float32), np.zeros((*shape, JUDGED), np.float32)
    judged, context = np.zeros((number, JUDGED), np.float32), np.zeros((*shape, METER_FLAGS + 2), np.float32)
    for b, i in enumerate(rng.choice(len(found), number, p=chance)):
        hand, need = found[i], JUDGED + AFTER + 1
        begin = 0 if rng.random() < FROM_BEGIN else int(rng.integers(0, max(1, len(hand.place) - need + 1)))
        beats = hand.place[begin : begin + need]
        beat_s = 60 / float(np.exp(rng.uniform(*np.log(TEMPI))))
        time_s = beats * beat_s + rng.normal(0, rng.uniform(*TIMING_S), len(beats))
        gap_s, known = np.maximum(np.diff(time_s), SHORTEST_S), min(JUDGED, len(beats) - 1)
        seen = slice(BEFORE, BEFORE + len(gap_s))
        for level, factor in enumerate(LEVELS):
            gaps[b, level, seen, :GAP_BINS] = gap_shares(gap_s / (beat_s * factor))
            gaps[b, level, seen, GAP_BINS] = 0.0
        onsets[b, seen] = hand.onsets[begin : begin + len(gap_s)]
        place[b, :, :known] = time_s[:known] / beat_s / LEVELS[:, None]
        judged[b, : min(known, len(gap_s) - AFTER)] = 1.0
        octave = np.log2(beat_s * LEVELS)
        context[b, :, :METER_FLAGS], context[b, :, -2], context[b, :, -1] = hand.flags, octave, octave**2
    return Batch(gaps, onsets, place, judged, context)


def net_of(seed: int = 0) -> dict[str, Any]:
    """Return a new net: its variables by name."""
    import tensorflow as tf

    draw = tf.random.Generator.from_seed(seed)

    def drawn_as(*shape: int, sd: float) -> Any:
        return tf.Variable(draw.normal(shape) * sd)

    return {
        "gaps": drawn_as(SEEN, BINS, UNITS, sd=0.12),
        "onsets": drawn_as(SEEN, OF_ONSET, UNITS, sd=0.12),
        "context": drawn_as(METER_FLAGS + 2, UNITS, sd=0.1),
        "bias": tf.Variable(tf.zeros(UNITS)),
        "hidden": drawn_as(UNITS, LATER, sd=0.15),
        "hidden_bias": tf.Variable(tf.zeros(LATER)),
        "answer": drawn_as(LATER, PLACES + 1, sd=0.05),
        "prior": drawn_as(METER_FLAGS + 2, PRIOR_UNITS, sd=0.3),
        "prior_bias": tf.Variable(tf.zeros(PRIOR_UNITS)),
        "prior_answer": drawn_as(PRIOR_UNITS, 1, sd=0.05),
        "power": tf.Variable(0.3),
    }


def summed(net: dict[str, Any], batch: Batch, training: bool = False) -> list[Any]:
    """Return the scores of all grids [b, levels, PLACES] after each number of onsets in `SUMS`."""
    import tensorflow as tf

    gaps, onsets, place, judged, context = batch
    if training:
        gaps, onsets = tf.nn.dropout(gaps, DROPPED), tf.nn.dropout(onsets, DROPPED)
    number, levels = tf.shape(gaps)[0], len(LEVELS)
    hidden = tf.nn.conv1d(tf.reshape(gaps, (number * levels, -1, BINS)), net["gaps"], 1, "VALID")
    hidden = tf.reshape(hidden, (number, levels, JUDGED, UNITS))
    hidden += tf.nn.conv1d(onsets, net["onsets"], 1, "VALID")[:, None]
    hidden = tf.nn.relu(hidden + (context @ net["context"] + net["bias"])[:, :, None])
    if training:
        hidden = tf.nn.dropout(hidden, DROPPED_HIDDEN)
    answer = tf.nn.relu(hidden @ net["hidden"] + net["hidden_bias"]) @ net["answer"]
    level, scores = answer[..., PLACES:], answer[..., :PLACES]
    scores -= tf.reduce_mean(scores, -1, keepdims=True)
    low = tf.floor(place * PLACES)
    share = (place * PLACES - low)[..., None]
    index = (tf.cast(low, tf.int32)[..., None] + tf.range(PLACES)) % PLACES
    later = tf.gather(scores, (index + 1) % PLACES, batch_dims=3)
    rows = tf.gather(scores, index, batch_dims=3) * (1 - share) + later * share + level
    sums = tf.cumsum(rows * judged[:, None, :, None], 2)
    known = tf.maximum(tf.cumsum(judged, 1), 1.0)
    prior = tf.nn.tanh(context @ net["prior"] + net["prior_bias"]) @ net["prior_answer"]
    return [sums[:, :, n - 1] * (known[:, n - 1] ** -net["power"])[:, None, None] + prior for n in SUMS]


def right_grids(sums: list[Any]) -> list[tuple[float, float]]:
    """Return for each of `SUMS` the share of the stretches with the right tempo, and with tempo and place right."""
    found = []
    for grids in sums:
        level, place = np.divmod(np.asarray(grids).reshape(len(grids), -1).argmax(1), PLACES)
        near = np.minimum(place, PLACES - place) <= NEAR
        found.append((float((level == ONE).mean()), float(((level == ONE) & near).mean())))
    return found


def fit(found: list[Hand], steps: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return a net fitted to the hands in so many steps."""
    import tensorflow as tf

    net, chance = net_of(), chances(found, SHARES)
    variables, optimizer = list(net.values()), tf.keras.optimizers.Adam(RATE)

    def one_step(*arrays: Any) -> None:
        with tf.GradientTape() as tape:
            loss = RIDGE * tf.add_n([tf.reduce_sum(v * v) for v in variables if len(v.shape) > 1])
            for grids in summed(net, Batch(*arrays), training=True):
                log_share = tf.nn.log_softmax(tf.reshape(grids, (BATCH, -1)))
                right = tf.reshape(log_share, tf.shape(grids))[:, ONE]
                right = tf.gather(right, [0, 1, PLACES - 1], axis=1)
                loss -= tf.reduce_mean(tf.reduce_logsumexp(right, -1)) / len(SUMS)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    step = tf.function(one_step)
    for number in range(steps):
        optimizer.learning_rate.assign(RATE * max(0.02, 1 - number / steps))
        step(*(tf.constant(array) for array in drawn(found, chance, BATCH, rng)))
    return net


@click.command("grid")
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=FILE, show_default=True, help="File of weights to write."
)
@click.option("--steps", default=STEPS, show_default=True, help="Batches.")
def grid_net(cache: Path, out: Path, steps: int) -> None:
    """Fit the clock's net of tempo and place for steady players without a count-in."""
    net = fit(hands(cache, "train"), steps, np.random.default_rng(0))
    valid = hands(cache, "valid")
    for corpus in CORPORA:
        batch = drawn(valid, chances(valid, {corpus: 1.0}), 200, np.random.default_rng(1))
        for onsets, (tempo, both) in zip(SUMS, right_grids(summed(net, batch)), strict=True):
            click.echo(f"{corpus}, {onsets} onsets: tempo right {tempo:.2f}, tempo and place {both:.2f}")
    np.savez_compressed(out, **{name: variable.numpy() for name, variable in net.items()})
