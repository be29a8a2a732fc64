"""Runs the shipped engine over music at full speed, and measures the time of a hop and the memory."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from device.events import Event, NoteHeard, Send
from device.status.hop_times import HopTimes
from tests.soak.figure import Figure
from tests.soak.music import music

RATE, BLOCK = 48_000, 256
"""Sample rate in Hz of the music, and samples that the engine gets at once, as in a live run."""
HOP_OVER_MODEL = 20.0
"""Limit of a hop's 99th percentile, in medians of its features and transcriber alone. Measured values are 5 to 8.

This limit applies on slow machines, where it is longer than a quarter of a hop.
"""


class Played:
    """Counts the notes that an engine heard and struck, and keeps which keys are down."""

    def __init__(self) -> None:
        self.heard, self.struck = 0, 0
        self.down: set[int] = set()

    def take(self, events: Iterable[Event]) -> None:
        """Add the events of a hop."""
        for event in events:
            if isinstance(event, NoteHeard):
                self.heard += 1
            elif isinstance(event, Send) and event.kind == "note_on":
                self.struck += 1
                self.down.add(event.pitch)
            elif isinstance(event, Send) and event.kind == "note_off":
                self.down.discard(event.pitch)


@dataclass
class _FastRun:
    """What was measured of a run over `fed_s` seconds of music, which took `took_s` seconds."""

    times: HopTimes
    played: Played
    fed_s: float
    took_s: float
    growth_mb: float
    """How much more memory than after the first minutes the process had at most, in MiB."""


def full_speed(seconds: float) -> list[Figure]:
    """Run the shipped engine over `seconds` of music at full speed, with the same inputs as in a live run."""
    from device.bundles import golden
    from tests.unit.helpers.shipped import bundle

    alone_ms = 1e3 * float(np.median(golden.hop_times(bundle(), bundle().transcriber())))
    run = _run(seconds)
    times, played, hop_s = run.times, run.played, bundle().features.hop_s
    p99_ms, slope = times.percentile_ms(99), max(0.0, run.growth_mb) / (run.fed_s / 3600)
    limit_ms = max(1e3 * hop_s / 4, HOP_OVER_MODEL * alone_ms)
    figure = partial(Figure, f"full speed, {run.fed_s / 60:g} min of music")
    return [
        figure("took", f"{run.took_s:.0f} s, {run.fed_s / run.took_s:.1f} times real time", "", True),
        figure("hops", str(times.count), "", times.count > 0.99 * run.fed_s / hop_s),
        figure("hop p50, processor time", f"{times.percentile_ms(50):.2f} ms", "", True),
        figure("features and transcriber alone, processor time", f"{alone_ms:.2f} ms", "", True),
        figure("hop p99, processor time", f"{p99_ms:.2f} ms", f"{limit_ms:.1f} ms", p99_ms <= limit_ms, of_speed=True),
        figure(
            "notes heard, notes played",
            f"{played.heard}, {played.struck}",
            "",
            played.heard > 0 and played.struck > 0,
        ),
        figure("growth of RSS", f"{slope:.2f} MB an hour of music", "1 MB", slope < 1.0 or run.fed_s < 1800),
        figure("keys down after the end", str(len(played.down)), "0", not played.down),
    ]


def _run(seconds: float) -> _FastRun:
    """Feed the shipped engine with the music, minute by minute and in blocks, until it has got `seconds` of it."""
    from device.assemble import engine_of
    from device.hearing.resample import Hops
    from device.live.monitor import memory_mb
    from device.settings.config import parse_config
    from device.system.realtime import settled
    from tests.unit.helpers.shipped import bundle

    engine = engine_of(parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "soak"), bundle())
    spec = bundle().features
    hops, times, played = Hops(RATE, spec.sample_rate, spec.hop), HopTimes(), Played()
    minute = music(60.0, RATE)
    fed_s, now_s, began_s = 0.0, 0.0, time.monotonic()
    first_mb, most_mb = 0.0, 0.0
    with settled():
        while fed_s < seconds:
            for start in range(0, len(minute), BLOCK):
                for hop, now_s in hops.push(minute[start : start + BLOCK]):
                    # processor time, which excludes the machine's other work
                    hop_s = time.thread_time()
                    events = engine.step(hop, now_s)
                    times.add(time.thread_time() - hop_s)
                    played.take(events)
            fed_s += len(minute) / RATE
            # after the first minutes every buffer has reached its size
            first_mb = memory_mb() if fed_s <= max(60.0, seconds / 10) else first_mb
            most_mb = max(most_mb, memory_mb())
    took_s = time.monotonic() - began_s
    played.take(engine.finish(now_s))
    return _FastRun(times, played, fed_s, took_s, most_mb - first_mb)
