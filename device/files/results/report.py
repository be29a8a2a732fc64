"""Writes REPORT.json, a report of heard notes, decisions and sent notes. docs/report.schema.json describes it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.files.performance import Performance

VERSION = 1
"""Version of the report's form. A program that reads reports can tell by it what it gets."""
_DIGITS = 6
"""Decimal places of the numbers."""


@dataclass(frozen=True)
class BundleName:
    """Names the models that played, by the name, version and checksum of their bundle."""

    name: str
    version: str
    sha: str
    """Checksum of the bundle's manifest. The manifest holds the checksums of all other files."""


def report(performance: Performance, bundle: BundleName | None) -> dict[str, Any]:
    """Return the report of `performance` as a dictionary, in the form of docs/report.schema.json.

    `bundle` is None if no model took part.
    """
    took_ms = np.asarray(performance.hop_times_s) * 1e3
    hands = Counter(note.hand for note in performance.notes)
    return {
        "version": VERSION,
        "input": {"kind": performance.kind, "seconds": _round(performance.input_s)},
        "beats": [
            {
                "time_s": _round(beat.time_s),
                "predicted_at_s": _round(beat.predicted_at_s),
                "position": beat.position,
                "lock": _round(beat.lock),
            }
            for beat in performance.beats
        ],
        "chords": [{"time_s": _round(chord.time_s), "label": chord.label} for chord in performance.chords],
        "sent": [
            {
                "due_s": _round(send.due_s),
                "sent_s": _round(send.sent_s),
                "pitch": send.pitch,
                "velocity": send.velocity,
            }
            for send in performance.sends
            if send.kind == "note_on"
        ],
        "hops": {
            "count": len(took_ms),
            "p50": _percentile(took_ms, 50),
            "p99": _percentile(took_ms, 99),
            "hop_ms": _round(performance.hop_s * 1e3),
        },
        "hearing": {
            "notes": len(performance.notes),
            "right": hands["right"],
            "left": hands["left"],
            "own": hands["own"],
            "open": sum(note.offset_s is None for note in performance.notes),
        },
        "bundle": None if bundle is None else {"name": bundle.name, "version": bundle.version, "sha": bundle.sha},
        "warnings": performance.warnings,
    }


def write_report(path: Path, performance: Performance, bundle: BundleName | None) -> None:
    """Write the report of `performance` as JSON to the file `path`. `bundle` is None if no model took part."""
    path.write_text(json.dumps(report(performance, bundle), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _round(value: float) -> float:
    return round(float(value), _DIGITS)


def _percentile(values: np.ndarray[Any, np.dtype[np.float64]], percent: float) -> float | None:
    return _round(float(np.percentile(values, percent))) if len(values) else None
