"""Roll-outs: what a step model was given and gave, step by step; and how they are cut to calibrate a converter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.bundles.tflite import NEXT, STATE
from device.errors import UserError

Array: TypeAlias = NDArray[np.float32]
Inputs: TypeAlias = Mapping[str, Array]
"""One step's inputs without the states, with or without the batch axis of 1."""
Roll: TypeAlias = Iterable[Inputs]
"""Consecutive steps from zero states."""


@dataclass(frozen=True)
class Pair:
    """One step: everything that went in, states included, and all that came out; each with the batch axis."""

    given: dict[str, Array]
    gave: dict[str, Array]


def settled(rolls: list[list[Pair]]) -> list[list[Pair]]:
    """The roll-outs, cut where a last step's next state would reach beyond all states that were ever fed.

    The converter takes a state's range from what is fed and its next's from what comes out: only a state that is both
    gives the two the same scale.
    """
    rolls = [list(roll) for roll in rolls if roll]
    while True:
        low, high = _extent(pair.given for roll in rolls for pair in roll)
        kept = [roll[:-1] if _beyond(roll[-1].gave, low, high) else roll for roll in rolls]
        if kept == rolls:
            return rolls
        rolls = [roll for roll in kept if roll]
        if not rolls:
            raise UserError("The calibration's states only ever grow: give longer roll-outs.")


def _extent(all_given: Iterable[Mapping[str, Array]]) -> tuple[dict[str, float], dict[str, float]]:
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for given in all_given:
        for name, value in given.items():
            if name.startswith(STATE):
                low[name] = min(low.get(name, 0.0), float(value.min()))
                high[name] = max(high.get(name, 0.0), float(value.max()))
    return low, high


def _beyond(gave: Mapping[str, Array], low: Mapping[str, float], high: Mapping[str, float]) -> bool:
    after = {name: gave[NEXT + name.removeprefix(STATE)] for name in low}
    return any(value.min() < low[name] or value.max() > high[name] for name, value in after.items())
