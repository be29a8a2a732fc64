"""Prints how well the clock follows people: in each way of playing, and beside other methods.

It also prints the errors of the left hand's onsets and the computing time of the clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from device.bundles.bundle import Bundle
from device.following.follow_clock import FollowClock
from device.make_clock import DEFAULT_METER
from training.playing_figures.followed_hand import hand_errors
from training.playing_figures.following import (
    DOSES,
    FROM_S,
    HOP_S,
    NO_COUNT_IN,
    WAYS,
    Performed,
    Told,
    at_once,
    followed,
    load_performances,
    scored,
    shift_s,
    summed,
    told_to,
)
from training.playing_figures.following_peers import PEERS

COLUMNS = ("F70", "CMLt", "held", "bar F", "loss/min", "back", "never", "AUC", "sure", "ms", "worst")
HAND_WAYS = ("count-in", *DOSES, NO_COUNT_IN)
"""Ways of playing that have a MIDI file of their own. The device's left hand plays to this file."""
NEAR_S = 0.07
"""Greatest distance, in seconds, between an onset of the left hand and its place at which it counts as near."""
FLOOD, FLOOD_S = 5500, 10.0
"""Notes a second in a test with far too many notes, and its length in seconds. No hand or port sends so many."""

Row = dict[str, Any]


class KeptRows:
    """Keeps the scores of single pieces in a file, so that a run that was stopped can go on.

    Each line is a JSON object.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the scores that the file `path` holds, if it exists. With None, nothing is written to a file."""
        self._path, self._rows = path, dict[tuple[str, str], Row]()
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self._rows[row.pop("row"), row.pop("piece")] = row

    def get(self, name: str, piece: str, measure: Callable[[], Row]) -> Row:
        """Return the scores of a piece in the row `name`.

        They come from the file, or else from `measure`; then they are added to the file.
        """
        if (name, piece) not in self._rows:
            row = measure()
            self._rows[name, piece] = row
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"row": name, "piece": piece, **row}) + "\n")
        return self._rows[name, piece]


def evaluate_following(
    folder: Path, every: int = 1, rows: Path | None = None, bundle: Bundle | None = None
) -> dict[str, dict[str, float]]:
    """Print and return the measures of the clock in each way of playing, and of the peers (see `following_peers`).

    The result maps a row to figures by name. The errors of the left hand and the computing time are printed too. With
    `every` n, only each n-th performance is used. `rows` is a file in which the scores of single pieces are kept.
    Without a `bundle` no left hand is played. A peer that is not installed is left out. Raises UserError if the folder
    has no performances.
    """
    pieces = load_performances(folder)[::every]
    kept, table = KeptRows(rows), dict[str, dict[str, float]]()
    click.echo(f"{f'{len(pieces)} performances':34s}" + "".join(f"{name:>9s}" for name in COLUMNS))
    for way in WAYS:
        _show(table, way, [kept.get(way, p.name, lambda p=p, way=way: _of_clock(p, way)) for p in pieces])  # type: ignore[misc]
    for name, peer in PEERS.items():
        try:
            _show(table, name, [kept.get(name, p.name, lambda p=p, peer=peer: _of_peer(p, peer)) for p in pieces])  # type: ignore[misc]
        except ImportError as error:
            click.echo(f"{name}: left out, as {error.name} is not installed.")
    if bundle is not None:
        _show_hand(table, kept, folder, pieces, bundle)
    _show_flood(table)
    return table


def _of_clock(piece: Performed, way: str) -> Row:
    return scored(piece.beats[way], followed(piece, way), FROM_S + shift_s(piece, way), piece.bars[way])


def _of_peer(piece: Performed, peer: Callable[[Performed], Any]) -> Row:
    told = np.unique(peer(piece))
    return scored(piece.beats["count-in"], Told(told, np.zeros(len(told))), FROM_S + shift_s(piece, "count-in"))


def _show(table: dict[str, dict[str, float]], name: str, rows: Sequence[Row]) -> None:
    table[name] = summed(rows)
    cells = [f"{table[name][c]:9.3f}" if c in table[name] else f"{'-':>9s}" for c in COLUMNS]
    click.echo(f"{name:34s}" + "".join(cells))


def _show_hand(
    table: dict[str, dict[str, float]], kept: KeptRows, folder: Path, pieces: Sequence[Performed], bundle: Bundle
) -> None:
    """Print how far the left hand's onsets are from their true places (see `hand_errors`), and add this to `table`."""
    click.echo(f"{'left hand':34s}{'onsets':>9s}{'median':>9s}{'<70 ms':>9s}{'chance':>9s}{'<70 ms':>9s}")
    for way in HAND_WAYS:
        rows = [
            kept.get(
                f"hand, {way}",
                p.name,
                lambda p=p, way=way: hand_errors(folder, p, way, bundle, FROM_S + shift_s(p, way)),  # type: ignore[misc]
            )
            for p in pieces
        ]
        mine, chance = (np.array([x for row in rows for x in row[k]]) for k in ("hand", "chance"))
        if len(mine) and len(chance):
            found = {
                "onsets": float(len(mine)),
                "median ms": 1000 * float(np.median(mine)),
                "near": float((mine <= NEAR_S).mean()),
                "chance ms": 1000 * float(np.median(chance)),
                "chance near": float((chance <= NEAR_S).mean()),
            }
            table[f"hand, {way}"] = found
            click.echo(
                f"{way:34s}{len(mine):9d}{found['median ms']:6.0f} ms{found['near']:9.3f}"
                f"{found['chance ms']:6.0f} ms{found['chance near']:9.3f}"
            )


def _show_flood(table: dict[str, dict[str, float]]) -> None:
    """Print the computing time of the clock when far too many notes come (see FLOOD), and add it to `table`.

    The first clock builds tables for all clocks, so its time does not count.
    """
    notes = [(i / FLOOD, 48 + 7 * i % 48) for i in range(int(FLOOD * FLOOD_S))]
    for _ in range(2):
        hop_ms = told_to(FollowClock(DEFAULT_METER), at_once(notes)).hop_ms
    assert hop_ms is not None
    playing = hop_ms[: int(FLOOD_S / HOP_S)]
    table["flood"] = {"ms": float(playing.mean()), "worst": float(playing.max()) / (1000 * HOP_S)}
    click.echo(
        f"{FLOOD} notes a second: {table['flood']['ms']:.3f} ms a hop, at most {table['flood']['worst']:.2f} hops."
    )
