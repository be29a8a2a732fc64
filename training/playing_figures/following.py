"""Measures how the clock follows people: its beats on real performances, beside causal and offline peers.

A folder of performances has for each ID: `ID.json`, `ID.rh.mid`, `ID.beats.csv`, and for the count-in and each dose of
rubato (`flat` none, `r25` a quarter, `r50` half) `ID.ci.rh.mid`, `ID.DOSE.ci.rh.mid`, `ID.DOSE.beats.csv`. Only beats
told before they sound count, from `FROM_S` on. F70 is `mir_eval`'s F-measure within 70 ms, CMLt its continuity at the
correct level. "bar F" is the F-measure of the downbeats. A beat is held if exactly one told beat lies within half an
interval of it, and that one within 17.5 % of an interval. A loss is two or more beats in a row that are not held; it
ends when four in a row are held.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import mido
import mir_eval
import numpy as np
import numpy.typing as npt

from device.clock.follow_clock import FollowClock
from device.clock.meter import Meter
from device.errors import UserError

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FROM_S = 5.0
HOP_S = 0.016
HELD = 0.175
"""Share of an interval."""
RECOVERED = 4
"""Beats held in a row that end a loss."""
AHEAD = 0.25
"""Beats ahead at which a causal peer fixes a beat."""
CHORD_S = 0.05
"""Onsets closer than this many seconds are one chord."""
COUNT_IN = 4
"""Onsets of the count-in that each performance begins with."""
DOSES = ("flat", "r25", "r50")
WAYS = ("count-in", "no count-in", *DOSES)


@dataclass(frozen=True)
class Performed:
    """A performance. For each way it has the right-hand notes (onset in seconds, MIDI pitch) and the true beats."""

    name: str
    meter: Meter
    notes: dict[str, list[tuple[float, int]]]
    beats: dict[str, Array]
    bars: dict[str, Array]
    """The true downbeats, which are among the beats."""
    taps: Array
    """Times of the count-in's taps, in the times of the way "count-in"."""


@dataclass(frozen=True)
class Told:
    """The times in seconds of beats that were given before they sounded, the `lock` of each, and those of downbeats."""

    time_s: Array
    lock: Array
    bar_s: Array | None = None
    """None for a peer that knows no bars."""


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
    """Return the beats that the clock gives in time. It gets the notes hop by hop, as from a MIDI port."""
    clock = FollowClock(piece.meter, 0 if way == "no count-in" else COUNT_IN)
    notes, beats = list(piece.notes[way]), []
    for hop in range(int((notes[-1][0] + 3.0) / HOP_S)):
        now_s = hop * HOP_S
        while notes and notes[0][0] <= now_s:
            onset_s, pitch = notes.pop(0)
            clock.hear(onset_s, onset_s, pitch)
        while (step := clock.due(now_s)) is not None:
            if step.is_beat and step.time_s >= now_s:
                beats.append((step.time_s, step.lock, step.is_bar))
    told = np.array(beats, float).reshape(-1, 3)
    return Told(told[:, 0], told[:, 1], told[told[:, 2] > 0, 0])


def constant(piece: Performed) -> Array:
    """Return the beats of a causal peer that keeps the tempo of the taps."""
    tap_s = float(np.diff(piece.taps).mean())
    return np.asarray(piece.taps[-1] + tap_s * np.arange(1, int(piece.beats["count-in"][-1] / tap_s) + 2))


def corrected(piece: Performed) -> Array:
    """Return the beats of a causal peer that corrects its phase and its period.

    It adds .35 and .12 of the error of each onset that lies within a quarter of a beat of a beat.
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
    """Return the beats of a cheat. It knows every past true beat, and predicts the last true interval again."""
    b = piece.beats["count-in"]
    return np.concatenate([b[:2], 2 * b[1:-1] - b[:-2]])


def librosa_told(piece: Performed) -> Array:
    """Return the beats of an offline peer: librosa's dynamic programming over all onsets, given the taps' tempo."""
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


PEERS: dict[str, Callable[[Performed], Array]] = {
    "constant tempo (causal)": constant,
    "phase and period (causal)": corrected,
    "last interval (cheat)": last_interval,
    "librosa, told tempo (offline)": librosa_told,
}


def _onsets(notes: Sequence[tuple[float, int]]) -> Array:
    """Return the onsets in seconds. The first note of a chord stands for the chord."""
    times = np.array([onset_s for onset_s, _ in notes])
    return times[np.diff(times, prepend=-np.inf) > CHORD_S]


def held(true: Array, told: Array) -> Bools:
    """Return whether each true beat is held, [beats]. The module's docstring says when it is."""
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
    """Return the number of beats until each loss ended; None for a loss that never ended."""
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
    """Return the scores of one piece. Only beats at or after `from_s` seconds are scored.

    With the true downbeats `bars`, and if downbeats were told, there is "bar F" too: their F-measure within 70 ms.
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
    if len(time_s):
        nearest = np.abs(time_s[:, None] - true).argmin(axis=1)
        gap = np.concatenate([np.diff(true)[:1], np.diff(true)])
        good = on[nearest] & (np.abs(time_s - true[nearest]) <= HELD * gap[nearest])
        late = time_s >= from_s
        row |= {"lock held": lock[late & good].tolist(), "lock lost": lock[late & ~good].tolist()}
    return row


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the means over pieces. Losses and lock are taken over the beats of all pieces together."""
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
    good, bad = (np.array([v for row in rows for v in row.get(k, ())]) for k in ("lock held", "lock lost"))
    if len(good) and len(bad) and np.ptp(np.concatenate([good, bad])) > 0:
        above = np.searchsorted(np.sort(bad), good, "left") + np.searchsorted(np.sort(bad), good, "right")
        out |= {"AUC": float(above.mean() / 2 / len(bad)), "sure": float((bad > 0.5).mean())}
    return out


def evaluate_following(folder: Path, limit: int | None) -> dict[str, dict[str, float]]:
    """Print and return the measures of the clock in every way, and of the peers with the count-in."""
    pieces = load_performances(folder)
    if limit is not None and limit < len(pieces):
        pieces = [pieces[i * len(pieces) // limit] for i in range(limit)]
    table: dict[str, dict[str, float]] = {}
    columns = ("F70", "CMLt", "held", "bar F", "loss/min", "back", "never", "AUC", "sure")
    click.echo(f"{'':34s}" + "".join(f"{name:>9s}" for name in columns))

    def show(name: str, rows: Sequence[dict[str, Any]]) -> None:
        table[name] = summed(rows)
        click.echo(f"{name:34s}" + "".join(f"{table[name].get(c, float('nan')):9.3f}" for c in columns))

    for way in WAYS:
        show(way, [scored(p.beats[way], followed(p, way), FROM_S + _shift(p, way), p.bars[way]) for p in pieces])
    for name, peer in PEERS.items():
        try:
            told = [np.unique(peer(p)) for p in pieces]
        except ImportError as error:
            click.echo(f"{name}: left out, as {error.name} is not installed.")
            continue
        show(
            name,
            [
                scored(p.beats["count-in"], Told(t, np.zeros(len(t))), FROM_S + _shift(p, "count-in"))
                for p, t in zip(pieces, told, strict=True)
            ],
        )
    return table


def _shift(piece: Performed, way: str) -> float:
    """Return by how many seconds the music of a way begins later than without a count-in."""
    return float(piece.beats[way][0] - piece.beats["no count-in"][0])
