"""Reads POP909 (github.com/music-x-lab/POP909-Dataset): pop songs played on a keyboard, with the times of beats.

The track MELODY is the right hand. The track PIANO holds both hands: its notes below middle C and below the sounding
melody are the left hand, and its other notes get `HandLabel.OTHER`. The track BRIDGE, a second melody, is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import symusic

from device.events import MIDDLE_C
from training.corpora.pieces import HandLabel, Meter, Piece, as_notes
from training.corpora.splits import split_of_song

ARCHIVE = "pop909"

Array = npt.NDArray[np.float64]


def song_files(root: Path) -> list[Path]:
    """Return the MIDI file of each song, by number. The folders `versions` are left out."""
    return sorted(path for path in root.glob("**/*.mid") if path.stem == path.parent.name)


def read_song(midi: Path) -> Piece:
    """Read one song from `NNN/NNN.mid` and the `beat_midi.txt` beside it, and return it as a piece."""
    score: Any = symusic.Score(str(midi), ttype="second")
    tracks = {track.name: track.notes.numpy() for track in score.tracks}
    melody, piano = tracks["MELODY"], tracks["PIANO"]
    table = np.loadtxt(midi.with_name("beat_midi.txt"), ndmin=2)
    end_s = max(float((track["time"] + track["duration"]).max(initial=0.0)) for track in (melody, piano))
    beat_s, before = cover(table[:, 0], end_s)
    downbeats, meters = bars(table, before, len(beat_s))
    left = is_left(piano, melody)
    hand = np.concatenate(
        [np.full(len(melody["time"]), HandLabel.RIGHT), np.where(left, HandLabel.LEFT, HandLabel.OTHER)],
    )
    column = {name: np.concatenate([melody[name], piano[name]]) for name in melody}
    onset = quarters_at(column["time"], beat_s)
    offset = quarters_at(column["time"] + column["duration"], beat_s)
    return Piece(
        name=midi.stem,
        corpus="pop909",
        group=midi.stem,
        work=midi.stem,
        split=split_of_song(int(midi.stem)),
        notes=as_notes(onset, offset - onset, column["pitch"], column["velocity"], hand),
        meters=meters,
        downbeats=downbeats,
        beat_s=beat_s,
    )


def quarters_at(seconds: Array, beat_s: Array) -> Array:
    """Convert seconds to quarters: the inverse of `Piece.seconds`."""
    return np.interp(seconds, beat_s, np.arange(len(beat_s)))


def cover(beat_s: Array, end_s: float) -> tuple[Array, int]:
    """Return `beat_s` with beats added before and after it, from about 0 s to `end_s` or later.

    The beats added before repeat the first interval. The beats added after repeat the last interval. If `beat_s` begins
    more than half an interval after 0 s, beats are added at the start until the first beat lies at most half an
    interval before or after 0 s. Otherwise none is added there.

    Returns the beats in seconds, and the number of beats that were added at the start.
    """
    first, last = beat_s[1] - beat_s[0], beat_s[-1] - beat_s[-2]
    before = max(0, int(np.ceil(beat_s[0] / first - 0.5)))
    after = max(0, int(np.ceil((end_s - beat_s[-1]) / last)))
    earlier = beat_s[0] - first * np.arange(before, 0, -1)
    later = beat_s[-1] + last * np.arange(1, after + 1)
    return np.concatenate([earlier, beat_s, later]), before


def bars(table: Array, before: int, n_quarters: int) -> tuple[Array, list[Meter]]:
    """Return the quarters at which bars start, and the meters, from the table of `beat_midi.txt`.

    A row of `table` is a beat: its time in seconds, whether it starts a half bar, whether it starts a bar. If the half
    bars have three beats, the song has three beats in a bar, and the second column marks its bars. `before` is the
    number of quarters added at the start. After the last row, bars go on up to `n_quarters`.
    """
    half = np.flatnonzero(table[:, 1] > 0)
    full = np.flatnonzero(table[:, 2] > 0)
    in_three = len(half) > 1 and np.median(np.diff(half)) == 3
    starts = half if in_three else full
    usual = 3 if in_three else 4
    lengths = np.append(np.diff(starts), usual)
    meters: list[Meter] = [(0.0, usual, 4)]
    for start, length in zip(starts, lengths, strict=True):
        if length != meters[-1][1]:
            meters.append((float(start + before), int(length), 4))
    last = starts[-1] if len(starts) else 0
    starts = np.concatenate([starts, np.arange(last + usual, n_quarters - before, usual)])
    return (starts + before).astype(np.float64), meters


def is_left(piano: dict[str, Any], melody: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Return which piano notes belong to the left hand, bool [notes].

    They are below middle C and below every melody note that sounds at their onset.
    """
    left = piano["pitch"] < MIDDLE_C
    starts, ends, pitches = melody["time"], melody["time"] + melody["duration"], melody["pitch"]
    for index in np.flatnonzero(left):
        onset = piano["time"][index]
        sounding = (starts <= onset) & (ends > onset)
        left[index] = piano["pitch"][index] < pitches[sounding].min(initial=MIDDLE_C)
    return np.asarray(left, np.bool_)
