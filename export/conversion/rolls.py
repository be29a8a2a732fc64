"""Roll-outs, and their preparation for the calibration of a converter.

A roll-out is a run of a step model over consecutive steps, from states of zero.
"""

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
"""Inputs of one step by name, without the states, with or without the batch axis of 1."""
Roll: TypeAlias = Iterable[Inputs]
"""Inputs of consecutive steps. The model's states are zero before the first one."""


@dataclass(frozen=True)
class Pair:
    """One step of a model: its inputs `given` and its outputs `gave`, by name, with states and with the batch axis."""

    given: dict[str, Array]
    gave: dict[str, Array]


def settled(rolls: list[list[Pair]]) -> list[list[Pair]]:
    """Shorten the roll-outs so that the states have the same range as inputs and as outputs. Returns the roll-outs.

    The converter takes the range of a state's input from the inputs, and the range of its output from the outputs. Both
    get the same scale only if the two ranges are equal. The output of one step is the input of the next, so only the
    last step of a roll-out can break this. It is removed if its next state lies outside the range of the inputs. Raises
    UserError if nothing is left.
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
