"""Injects random faults between the box and its devices, and measures what they leave behind."""

from __future__ import annotations

import logging
import threading
import time

from tests.soak.figure import Figure


def faults(count: int, seed: int) -> list[Figure]:
    """Inject `count` random faults between box and devices. Raises AssertionError at the first that does harm."""
    from device.live.monitor import memory_mb, open_files
    from tests.unit.helpers.seams import FAULTS, Stage, fault, seams

    logging.getLogger("lefthand").setLevel(logging.ERROR)
    stage = Stage(seed)
    seen = dict.fromkeys(FAULTS, 0)
    began_s = time.monotonic()
    with seams(stage):
        for done in range(count):
            kind = stage.rng.choice(FAULTS)
            fault(stage, kind)
            seen[kind] += 1
            stage.clients.clear()
            if done == min(500, count // 2):
                first = memory_mb(), open_files(), threading.active_count()
    last = memory_mb(), open_files(), threading.active_count()
    part = f"{count:,} faults at the seams"
    return [
        Figure(part, "took", f"{time.monotonic() - began_s:.0f} s", "", True),
        Figure(
            part, "of each of the kinds", f"{min(seen.values())} to {max(seen.values())} ({len(seen)} kinds)", "", True
        ),
        Figure(part, "sessions after which a note hung", "0", "0", True),
        Figure(part, "growth of RSS", f"{last[0] - first[0]:.1f} MB", "5 MB", last[0] - first[0] < 5.0),
        Figure(
            part, "file descriptors, threads", f"{last[1]}, {last[2]}", f"{first[1]}, {first[2]}", last[1:] == first[1:]
        ),
    ]
