"""Tracks the beats of people with other methods ("peers"), to compare the device's clock with them.

A causal peer knows only the past. It gets the four taps of the count-in, and fixes each beat a quarter of a beat before
it comes. An offline peer reads the whole right hand. The cheat knows the true beats of the past. Two peers use madmom's
dynamic Bayesian network (Böck, Krebs, Widmer, "A multi-model approach to beat tracking considering heterogeneous music
styles", 2014): one as a causal filter, one offline. These two give every onset the same weight.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training.playing_figures.following import Array, Performed

AHEAD = 0.25
"""How long before a beat a causal peer fixes it, as a share of a beat."""
CHORD_S = 0.05
"""Onsets closer than this many seconds are one chord."""
FRAMES = 100
"""Number of frames a second in madmom's input, which has one value (activation) in each frame."""
WIDTH_S, STRONG, FLOOR = 0.02, 0.9, 0.02
"""Width in seconds of an onset in madmom's input, its height, and the value of the input without an onset."""
LIVE, TOLD_TEMPO = (0.6, 1.67), (0.67, 1.5)
"""Lowest and highest tempo that madmom considers, as multiples of the taps' tempo: as a causal filter, and offline."""


def constant(piece: Performed) -> Array:
    """Return the beats in seconds of a causal peer that keeps the tempo of the taps."""
    tap_s = float(np.diff(piece.taps).mean())
    return np.asarray(piece.taps[-1] + tap_s * np.arange(1, int(piece.beats["count-in"][-1] / tap_s) + 2))


def corrected(piece: Performed) -> Array:
    """Return the beats in seconds of a causal peer that corrects its phase and its period.

    Each onset within a quarter of a beat of a beat has an error. The peer adds .35 of it to the next beat and .12 of it
    to the period.
    """
    onsets = _onsets(piece.notes["count-in"])
    beat_s, told, k = float(np.diff(piece.taps).mean()), [], 0
    next_s = piece.taps[-1] + beat_s
    while next_s < piece.beats["count-in"][-1] + beat_s:
        while k < len(onsets) and onsets[k] < next_s - AHEAD * beat_s:
            error_s = onsets[k] - (next_s - beat_s)
            if abs(error_s) < AHEAD * beat_s:
                next_s += 0.35 * error_s
                beat_s = min(1.75, max(0.25, beat_s + 0.12 * error_s))
            k += 1
        told.append(next_s)
        next_s += beat_s
    return np.array(told)


def last_interval(piece: Performed) -> Array:
    """Return the beats in seconds of a cheat.

    It knows every past true beat, and predicts the last true interval again.
    """
    b = piece.beats["count-in"]
    return np.concatenate([b[:2], 2 * b[1:-1] - b[:-2]])


def librosa_told(piece: Performed) -> Array:
    """Return the beats in seconds that librosa finds offline, by dynamic programming over all onsets.

    It is given the taps' tempo.
    """
    import librosa

    rate, hop = 22050, 256
    onsets = _onsets(piece.notes["count-in"])
    frames = np.arange(int((onsets[-1] + 2) * rate / hop)) * hop / rate
    envelope = np.exp(-0.5 * ((frames[:, None] - onsets) / 0.012) ** 2).max(axis=1)
    tempo = 60 / float(np.diff(piece.taps).mean())
    _, beats = librosa.beat.beat_track(
        onset_envelope=envelope, sr=rate, hop_length=hop, units="time", trim=False, start_bpm=tempo
    )
    return np.asarray(beats, float)


def forward(piece: Performed) -> Array:
    """Return the beats in seconds of madmom's network as a causal filter over the taps and the onsets.

    Raises ImportError if madmom is not installed.
    """
    tap_s = float(np.diff(piece.taps).mean())
    onsets = np.concatenate([piece.taps, _music(piece)])
    dbn = _dbn(LIVE[0] * 60 / tap_s, LIVE[1] * 60 / tap_s, online=True)
    state = np.argmax(dbn.hmm.forward(_activations(onsets), reset=True), axis=1)
    place, beat_s = dbn.st.state_positions[state], dbn.st.state_intervals[state] / FRAMES
    told = [0.0]
    for frame in range(1, len(state)):
        crossed = place[frame] >= 1 - AHEAD and (place[frame - 1] < 1 - AHEAD or place[frame] < place[frame - 1])
        at_s = frame / FRAMES + (1 - place[frame]) * beat_s[frame]
        if crossed and at_s > told[-1] + 0.5 * beat_s[frame]:
            told.append(at_s)
    return np.array([at_s for at_s in told if at_s > piece.taps[-1] + 0.3 * tap_s])


def told_tempo(piece: Performed) -> Array:
    """Return the beats in seconds of madmom's network, offline over all onsets. It is given the taps' tempo.

    Raises ImportError if madmom is not installed.
    """
    tempo = 60 / float(np.diff(piece.taps).mean())
    return np.asarray(_dbn(TOLD_TEMPO[0] * tempo, TOLD_TEMPO[1] * tempo)(_activations(_music(piece))), float)


def _music(piece: Performed) -> Array:
    onsets = _onsets(piece.notes["count-in"])
    return onsets[onsets > piece.taps[-1] + CHORD_S]


def _activations(onsets: Array) -> Array:
    frames = np.arange(int((onsets[-1] + 2) * FRAMES)) / FRAMES
    near = np.exp(-0.5 * ((frames[:, None] - onsets) / WIDTH_S) ** 2).max(axis=1)
    return np.asarray(np.maximum(FLOOR, STRONG * near))


def _dbn(slowest: float, fastest: float, online: bool = False) -> Any:
    """Return madmom's tracker for tempi from `slowest` to `fastest` beats a minute. If `online`, it is a causal filter.

    madmom 0.16.1 needs names that newer versions of Python and NumPy lack, so this function adds them first. Raises
    ImportError if madmom is not installed.
    """
    for name, kind in (("float", float), ("int", int), ("object", object), ("complex", complex), ("bool", bool)):
        if name not in vars(np):
            setattr(np, name, kind)
    for name in ("MutableSequence", "Iterable", "Sequence", "Mapping", "MutableMapping"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    beats = importlib.import_module("madmom.features.beats")
    return beats.DBNBeatTrackingProcessor(fps=FRAMES, min_bpm=slowest, max_bpm=fastest, online=online)


PEERS: dict[str, Callable[[Performed], Array]] = {
    "constant tempo (causal)": constant,
    "phase and period (causal)": corrected,
    "madmom, forward (causal)": forward,
    "last interval (cheat)": last_interval,
    "librosa, told tempo (offline)": librosa_told,
    "madmom, told tempo (offline)": told_tempo,
}


def _onsets(notes: Sequence[tuple[float, int]]) -> Array:
    """Return the onsets in seconds, sorted. Notes of one chord (closer than `CHORD_S`) count as one onset."""
    times = np.array([onset_s for onset_s, _ in notes])
    return times[np.diff(times, prepend=-np.inf) > CHORD_S]
