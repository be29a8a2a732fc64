"""Measures how well the clock follows people, by its beats on real performances. Other trackers are scored alike.

A folder of performances has for each ID: `ID.json`, `ID.rh.mid` and `ID.beats.csv`. For the performance with a count-in
it has `ID.ci.rh.mid`. Each dose of rubato (free timing: `flat` none, `r25` a quarter, `r50` half) has
`ID.DOSE.ci.rh.mid` and `ID.DOSE.beats.csv`.
Only beats that the clock gives before they sound count, from `FROM_S` on. F70 is `mir_eval`'s F-measure within 70 ms,
and CMLt is its continuity at the correct level. "bar F" is the F-measure of the downbeats. A true beat is held if
exactly one beat of the clock lies within half an interval of it, and that one lies within 17.5 % of an interval. A loss
is two or more beats in a row that are not held. It ends when four in a row are held.
"""

from __future__ import annotations

import csv
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import mido
import mir_eval
import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.errors import UserError
from device.following.follow_clock import FollowClock

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Decided: TypeAlias = tuple[float, float, int]
"""A note: its onset and the time at which it was decided, in seconds, and its MIDI pitch."""

FROM_S = 5.0
HOP_S = 0.016
HELD = 0.175
"""Greatest distance between a held beat and the clock's beat, as a share of the interval between beats."""
RECOVERED = 4
"""Number of beats in a row that must be held to end a loss."""
COUNT_IN = 4
"""Onsets of the count-in that each performance begins with."""
QUARTER_HOP_MS = 1000 * HOP_S / 4
"""Most milliseconds that the clock may take in one hop."""
RUNS = 3
"""Number of runs at most to find out whether the clock or the machine was slow in a hop."""
DOSES = ("flat", "r25", "r50")
NO_COUNT_IN = "no count-in"
WAYS = ("count-in", *DOSES, NO_COUNT_IN, *(f"{NO_COUNT_IN}, {dose}" for dose in DOSES))


@dataclass(frozen=True)
class Performed:
    """A performance by a person, in several ways such as with a count-in or without one.

    `notes` maps each way to the right-hand notes (onset in seconds, MIDI pitch), `beats` to the times of the true
    beats, and `bars` to the true downbeats.
    """

    name: str
    meter: Meter
    notes: dict[str, list[tuple[float, int]]]
    beats: dict[str, Array]
    bars: dict[str, Array]
    """The true downbeats, which are among the beats."""
    taps: Array
    """Times in seconds of the taps of the count-in, on the time line of the way "count-in"."""


@dataclass(frozen=True)
class Told:
    """The beats that a clock or another tracker gave before they sounded.

    `time_s` are their times in seconds. `lock` says how sure the clock was of each, from 0 to 1. `bar_s` are the times
    of the downbeats.
    """

    time_s: Array
    lock: Array
    bar_s: Array | None = None
    """None for a tracker that knows no bars."""
    hop_ms: Array | None = None
    """Computing time in milliseconds of the clock in each hop (16 ms); None for another tracker."""


def load_performances(folder: Path) -> list[Performed]:
    """Return all performances of a folder, by name. Raises UserError if there is none."""
    found = [_read(folder, path.name.removesuffix(".json")) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise UserError(f"No performances in {folder}: give the folder that holds ID.json and ID.rh.mid.")
    return found


def _read(folder: Path, name: str) -> Performed:
    meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    shift = float(meta["ci_shift_s"])
    played, bars = _beats(folder / f"{name}.beats.csv")
    notes = {"count-in": _notes(folder / f"{name}.ci.rh.mid"), "no count-in": _notes(folder / f"{name}.rh.mid")}
    beats = {"count-in": played + shift, "no count-in": played}
    downbeats = {"count-in": bars + shift, "no count-in": bars}
    for dose in DOSES:
        notes[dose] = _notes(folder / f"{name}.{dose}.ci.rh.mid")
        beats[dose], downbeats[dose] = _beats(folder / f"{name}.{dose}.beats.csv")
        alone = f"{NO_COUNT_IN}, {dose}"
        notes[alone], beats[alone], downbeats[alone] = notes[dose][COUNT_IN:], beats[dose], downbeats[dose]
    meter = Meter.parse(meta["play_meter"])
    return Performed(name, meter, notes, beats, downbeats, np.array(meta["ci_taps"], float))


def _beats(path: Path) -> tuple[Array, Array]:
    """Return the times of all beats, and of the downbeats among them."""
    with path.open(encoding="utf-8") as lines:
        rows = [(float(row["time"]), row["is_downbeat"] == "1") for row in csv.DictReader(lines)]
    return np.array([time_s for time_s, _ in rows]), np.array([time_s for time_s, bar in rows if bar])


def _notes(path: Path) -> list[tuple[float, int]]:
    time_s, notes = 0.0, []
    for message in mido.MidiFile(path):
        time_s += message.time
        if message.type == "note_on" and message.velocity:
            notes.append((time_s, message.note))
    return sorted(notes)


def followed(piece: Performed, way: str) -> Told:
    """Return the beats that the clock gives in time for a performance in one way.

    The clock gets the notes in small steps of time (hops), as from a MIDI port. If a hop takes more than
    `QUARTER_HOP_MS`, the performance is followed again, up to `RUNS` times in all, and each hop counts with its least
    time. A hop that is slow each time is slow because of the clock, and one that is slow once because of the machine.
    """

    def run() -> Told:
        clock = FollowClock(piece.meter, None if way.startswith(NO_COUNT_IN) else COUNT_IN)
        return told_to(clock, at_once(piece.notes[way]))

    told = run()
    for _ in range(RUNS - 1):
        if told.hop_ms is None or told.hop_ms.max(initial=0.0) <= QUARTER_HOP_MS:
            break
        again = run().hop_ms
        assert again is not None
        told = replace(told, hop_ms=np.minimum(told.hop_ms, again))
    return told


def at_once(notes: Sequence[tuple[float, int]]) -> list[Decided]:
    """Return `notes` (onset in seconds, MIDI pitch) as a MIDI keyboard sends them: decided at their onset."""
    return [(onset_s, onset_s, pitch) for onset_s, pitch in notes]


def told_to(clock: FollowClock, played: Sequence[Decided]) -> Told:
    """Return the beats that `clock` predicts in time from the notes `played`, which are in the order of decision.

    There are none if no note is played.
    """
    notes, beats, hop_ms = deque(played), [], []
    for hop in range(int((played[-1][1] + 3.0) / HOP_S) if played else 0):
        now_s, began_s = hop * HOP_S, time.thread_time()
        while notes and notes[0][1] <= now_s:
            clock.hear(*notes.popleft())
        while (step := clock.due(now_s)) is not None:
            if step.is_beat and step.time_s >= now_s:
                beats.append((step.time_s, step.lock, step.is_bar))
        hop_ms.append(1000 * (time.thread_time() - began_s))
    told = np.array(beats, float).reshape(-1, 3)
    return Told(told[:, 0], told[:, 1], told[told[:, 2] > 0, 0], np.array(hop_ms))


def held(true: Array, told: Array) -> Bools:
    """Return for each true beat whether it is held, bool [beats]. The module's docstring says when a beat is held."""
    gaps = np.diff(true)
    around = np.concatenate([gaps[:1], (gaps[:-1] + gaps[1:]) / 2, gaps[-1:]])
    low = true - np.minimum(np.diff(true, prepend=true[0] - around[0]), 1.2 * around) / 2
    high = true + np.minimum(np.diff(true, append=true[-1] + around[-1]), 1.2 * around) / 2
    out = np.zeros(len(true), bool)
    for i, beat_s in enumerate(true):
        near = told[(told > low[i]) & (told <= high[i])]
        out[i] = len(near) == 1 and abs(near[0] - beat_s) <= HELD * around[i]
    return out


def losses(on: Bools) -> list[int | None]:
    """Return for each loss the number of beats until it ended, or None if it never ended.

    `on` [beats] says which beats are held. The module's docstring says what a loss is.
    """
    found: list[int | None] = []
    i = 0
    while i < len(on) - 1:
        if on[i] or on[i + 1]:
            i += 1
            continue
        end = next((k for k in range(i, len(on) - RECOVERED + 1) if on[k : k + RECOVERED].all()), None)
        found.append(None if end is None else end - i)
        i = len(on) if end is None else end
    return found


def scored(true: Array, told: Told, from_s: float, bars: Array | None = None) -> dict[str, Any]:
    """Return the scores of one piece by name. Only beats at or after `from_s` seconds are scored.

    "bar F" is among them only if the true downbeats `bars` are given and the tracker gives downbeats. "ms" and "worst"
    are there only if the computing time is known. "lock held" and "lock lost" are lists: the `lock` of the good beats
    and of the others.
    """
    inside = told.time_s <= true[-1] + 0.5 * (true[-1] - true[-2])
    time_s, lock = told.time_s[inside], told.lock[inside]
    judged, given = true[true >= from_s], time_s[time_s >= from_s]
    on = held(true, time_s)
    enough = len(given) > 1
    row: dict[str, Any] = {
        "F70": float(mir_eval.beat.f_measure(judged, given)) if enough else 0.0,
        "CMLt": float(mir_eval.beat.continuity(judged, given)[1]) if enough else 0.0,
        "held": float(on[true >= from_s].mean()),
        "minutes": float(true[-1] - from_s) / 60,
        "losses": losses(on[true >= from_s]),
    }
    if bars is not None and told.bar_s is not None:
        true_bars, told_bars = bars[bars >= from_s], told.bar_s[told.bar_s >= from_s]
        told_bars = told_bars[told_bars <= true[-1] + 0.5 * (true[-1] - true[-2])]
        some = len(true_bars) and len(told_bars)
        row["bar F"] = float(mir_eval.beat.f_measure(true_bars, told_bars)) if some else 0.0
    if told.hop_ms is not None:
        row |= {"ms": float(told.hop_ms.mean()), "worst": float(told.hop_ms.max()) / (1000 * HOP_S)}
    if len(time_s):
        nearest = np.abs(time_s[:, None] - true).argmin(axis=1)
        gap = np.concatenate([np.diff(true)[:1], np.diff(true)])
        good = on[nearest] & (np.abs(time_s - true[nearest]) <= HELD * gap[nearest])
        late = time_s >= from_s
        row |= {"lock held": lock[late & good].tolist(), "lock lost": lock[late & ~good].tolist()}
    return row


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return figures over all pieces by name. F70, CMLt, "held", "bar F" and "loss/min" are means over the pieces.

    "back" is the median number of beats until a loss ends, and "never" the share of losses that do not end. "ms" is the
    clock's mean computing time a hop, and "worst" the largest share of a hop that it took. "AUC" says how well `lock`
    tells good beats from others, and "sure" is the share of the others with a `lock` above 0.5.
    """
    lost = [beats for row in rows for beats in row["losses"]]
    back = [beats for beats in lost if beats is not None]
    out = {name: float(np.mean([row[name] for row in rows])) for name in ("F70", "CMLt", "held")}
    of_bars = [row["bar F"] for row in rows if "bar F" in row]
    out |= {
        **({"bar F": float(np.mean(of_bars))} if of_bars else {}),
        "loss/min": float(np.mean([len(row["losses"]) / row["minutes"] for row in rows])),
        "back": float(np.median(back)) if back else float("nan"),
        "never": float(np.mean([beats is None for beats in lost])) if lost else 0.0,
    }
    if all("ms" in row for row in rows):
        out |= {"ms": float(np.mean([row["ms"] for row in rows])), "worst": max(row["worst"] for row in rows)}
    good, bad = (np.array([v for row in rows for v in row.get(k, ())]) for k in ("lock held", "lock lost"))
    if len(good) and len(bad) and np.ptp(np.concatenate([good, bad])) > 0:
        above = np.searchsorted(np.sort(bad), good, "left") + np.searchsorted(np.sort(bad), good, "right")
        out |= {"AUC": float(above.mean() / 2 / len(bad)), "sure": float((bad > 0.5).mean())}
    return out


def shift_s(piece: Performed, way: str) -> float:
    """Return how many seconds later the music of a way begins than the music of the way "no count-in"."""
    return float(piece.beats[way][0] - piece.beats["no count-in"][0])
