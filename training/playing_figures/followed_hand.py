"""Measures how near the onsets of the device's left hand are to their places in the beat, when people play with it.

The place of an onset, such as the third sixteenth of a beat, follows from the device's own beats around it. Its error
is the time to the nearest true place of this kind. "Chance" is the same error for onsets that are spread evenly, placed
by a grid of another tempo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from device.assemble import left_hand_of
from device.bundles.bundle import Bundle
from device.engine import Engine
from device.files.midi.file import read_midi
from device.files.midi_run import play_midi
from device.files.performance import Performance
from device.following.follow_clock import FollowClock
from training.playing_figures.clock import onsets_of
from training.playing_figures.following import COUNT_IN, DOSES, NO_COUNT_IN, Array, Performed

OTHER_TEMPO = 0.913
"""Distance between two beats of the grid of "chance", as a share of the median true beat."""


def file_of(folder: Path, name: str, way: str) -> Path:
    """Return the path of the MIDI file in which the performance `name` is played in the way `way`.

    Only some ways have a file: with a count-in, without one, and each of DOSES.
    """
    dose = f".{way}" if way in DOSES else ""
    return folder / (f"{name}.rh.mid" if way == NO_COUNT_IN else f"{name}{dose}.ci.rh.mid")


def hand_on(path: Path, piece: Performed, way: str, bundle: Bundle) -> Performance:
    """Let the device play to the right hand in the MIDI file `path`, and return what it played."""
    clock = FollowClock(piece.meter, None if way == NO_COUNT_IN else COUNT_IN)
    engine = Engine(clock=clock, player=left_hand_of(bundle))
    return play_midi(engine, read_midi(path).part(None).split(0), bundle.features.hop_s)


def place_errors(true: Array, told: Array, onset_s: Array, steps: int, from_s: float) -> Array:
    """Return the distance in seconds from each onset to the nearest true place of its kind, float [onsets].

    The module's docstring says what a place is. `true` are the true beats, and `told` are the device's beats, in
    seconds. `steps` is the number of steps in a beat. Onsets before `from_s`, after the last true beat, or outside the
    beats `told` are left out. The result is empty if there are fewer than two onsets, true beats or device's beats.
    """
    onset_s = onset_s[(onset_s >= from_s) & (onset_s <= true[-1])]
    if len(onset_s) < 2 or len(told) < 2 or len(true) < 2:
        return np.zeros(0)
    grid = np.interp(np.arange((len(true) - 1) * steps + 1) / steps, np.arange(len(true)), true)
    where = np.interp(onset_s, told, np.arange(len(told)), left=np.nan, right=np.nan)
    known = ~np.isnan(where)
    kind = np.round(where[known] * steps).astype(int) % steps
    pairs = zip(onset_s[known], kind, strict=True)
    return np.array([np.abs(grid[k::steps] - at_s).min() for at_s, k in pairs])


def hand_errors(folder: Path, piece: Performed, way: str, bundle: Bundle, from_s: float) -> dict[str, list[float]]:
    """Let the device play to a performance, and return the errors of its left-hand onsets, in seconds.

    Only onsets at or after `from_s` count. The result maps "hand" to the errors of the left hand, and "chance" to those
    of chance.
    """
    played = hand_on(file_of(folder, piece.name, way), piece, way, bundle)
    told = np.array([beat.time_s for beat in played.beats if beat.predicted_at_s <= beat.time_s])
    true, steps = piece.beats[way], piece.meter.steps_per_beat
    mine = place_errors(true, np.sort(told), onsets_of(played), steps, from_s)
    anywhere = np.linspace(from_s, true[-1], max(2, len(mine)))
    other = np.arange(true[0] - 9, true[-1] + 9, float(np.median(np.diff(true))) * OTHER_TEMPO)
    return {"hand": mine.tolist(), "chance": place_errors(true, other, anywhere, steps, from_s).tolist()}
