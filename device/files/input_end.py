"""Ends an input of the engine, in the same way for a file and for the recording of a live run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from device.engine import Engine
from device.events import NoteEnded, NoteHeard
from device.files.performance import Performance
from device.hearing.features import Samples

LONGEST_TAIL_S = 2.0
"""Seconds of silence at most that the engine gets after the input, so that open notes can end."""
Feed: TypeAlias = tuple[Samples | None, float, list[NoteHeard | NoteEnded]]
"""The arguments of `Engine.step`: a hop of samples or None, its time in stream seconds, and MIDI notes."""


def end_input(
    engine: Engine,
    performance: Performance,
    rest: Sequence[Feed],
    silence: Callable[[], Sequence[Feed]],
    now_s: float,
    step: Callable[[Samples | None, float, Sequence[NoteHeard | NoteEnded]], None],
    plays_on: bool = False,
) -> None:
    """End an input and close `performance`. Live runs and files share this function, so both decide the same notes.

    `rest` holds the remaining hops of the input. Then the engine gets `silence`, hop by hop, until no note is open,
    for at most LONGEST_TAIL_S or two bars, whichever is shorter. With `plays_on` it gets silence for two bars, so that
    the left hand can end as it does when a player stops. `now_s` is the stream time of the previous hop in seconds.
    `step` passes a hop, its stream time and its MIDI notes to the engine and collects the events.
    """
    for hop, now_s, midi in rest:
        step(hop, now_s, midi)
    two_bars_s = performance.two_bars_s
    heard_s = performance.input_s + min(LONGEST_TAIL_S, two_bars_s)
    played_s = performance.input_s + (two_bars_s if plays_on else 0.0)
    while engine.hearing is not None and now_s < max(played_s, heard_s if engine.hearing.pending else 0.0):
        for hop, now_s, midi in silence():
            step(hop, now_s, midi)
    performance.collect(engine.finish(now_s))
    performance.close()
