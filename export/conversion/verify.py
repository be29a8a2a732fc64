"""Compares the exported file with the float model, step by step, in every runtime. Each runs on its own states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from device.bundles.golden import relative_error
from device.bundles.tflite import Float, RuntimeName, StepModel
from device.errors import UserError
from export.conversion.rolls import Pair

if TYPE_CHECKING:
    from export.conversion.float_model import FloatModel

Thresholds: TypeAlias = float | tuple[float, ...]
FEWEST_STEPS = 300
"""Least number of steps of a comparison. Fewer do not show a drift."""
FEWEST_YESES = 300
"""Least number of yeses for a check of their share. A share of fewer values is chance."""
RUNTIMES: tuple[RuntimeName, ...] = ("litert", "tflite")


@dataclass(frozen=True)
class Tolerance:
    """Largest allowed difference between an int8 model and its float model over a whole roll-out."""

    error: float = 0.15
    """Largest relative error of an output, L2 over all steps."""
    decisions: float = 0.99
    """Least share of values on the same side of the output's threshold."""
    yes: float = 0.8
    """Least share of the values with a yes of both models among those with a yes of either.

    Most values are a clear no, so `decisions` alone looks too good.
    """
    drift: float = 2.0
    """Largest ratio of the last third's error to the first third's, or to a quarter of `error` if that is larger."""


@dataclass(frozen=True)
class Agreement:
    """The comparison of one output in one runtime with the float model."""

    runtime: RuntimeName
    output: str
    steps: int
    error: float
    decisions: float
    yes: float
    yeses: int
    """Number of values with a yes of the float model or of this one."""
    first_third: float
    last_third: float

    def __str__(self) -> str:
        return (
            f"{self.runtime:<6} {self.output:<10} {self.steps} steps: relative error {self.error:.2%} "
            f"(first third {self.first_third:.2%}, last {self.last_third:.2%}), same decisions {self.decisions:.2%}, "
            f"of {self.yeses} yeses {self.yes:.1%}"
        )


def compare(
    model: FloatModel,
    content: bytes,
    rolls: list[list[Pair]],
    thresholds: Mapping[str, Thresholds] | None = None,
    runtimes: tuple[RuntimeName, ...] = RUNTIMES,
) -> list[Agreement]:
    """Compare `content` with the float `rolls` (each from zero states) for every runtime and output.

    `thresholds` holds, by output, one number or one for each place on its last axis. The default is 0.5. Raises
    UserError for too few steps or values that are not finite.
    """
    steps = sum(len(roll) for roll in rolls)
    if steps < FEWEST_STEPS:
        raise UserError(f"{steps} steps are too few to show a drift: compare at least {FEWEST_STEPS}.")
    found = []
    for runtime in runtimes:
        step_model = StepModel(content, runtime=runtime)
        outputs = [_run(step_model, model, roll) for roll in rolls]
        for name in model.outputs:
            wanted = [np.stack([pair.gave[name][0] for pair in roll]) for roll in rolls]
            gave = [output[name] for output in outputs]
            if not all(np.all(np.isfinite(values)) for values in gave):
                raise UserError(f"{name} in {runtime} is not finite: the conversion is broken.")
            found.append(agreement_of(runtime, name, gave, wanted, (thresholds or {}).get(name, 0.5)))
    return found


def check(agreements: list[Agreement], tolerance: Tolerance) -> None:
    """Raise UserError for the first agreement that is out of tolerance."""
    for a in agreements:
        floor = tolerance.error / 4
        if not a.error <= tolerance.error:
            raise UserError(f"{a}: at most {tolerance.error:.0%} error is allowed.")
        if not a.decisions >= tolerance.decisions:
            raise UserError(f"{a}: at least {tolerance.decisions:.1%} same decisions are required.")
        if a.yeses >= FEWEST_YESES and not a.yes >= tolerance.yes:
            raise UserError(f"{a}: at least {tolerance.yes:.0%} same yeses are required.")
        if a.last_third > tolerance.drift * max(a.first_third, floor):
            raise UserError(f"{a}: it drifts.")


def _run(step_model: StepModel, model: FloatModel, roll: list[Pair]) -> dict[str, Float]:
    step_model.reset()
    outputs = [step_model.step(**{name: pair.given[name] for name in model.inputs}) for pair in roll]
    return {name: np.stack([output[name] for output in outputs]) for name in model.outputs}


def agreement_of(
    runtime: RuntimeName, name: str, gave: list[Float], wanted: list[Float], threshold: Thresholds
) -> Agreement:
    scale = float(np.sqrt(np.mean(np.concatenate(wanted).astype(np.float64) ** 2)))

    def part(first: float, last: float) -> float:
        # relative to the level of the whole, because the level of a rest is nearly zero
        apart = [g - w for g, w in zip(gave, wanted, strict=True)]
        cut = np.concatenate([a[int(first * len(a)) : int(last * len(a))] for a in apart]).astype(np.float64)
        return float(np.sqrt(np.mean(cut**2))) / max(scale, 1e-9)

    every, truth = np.concatenate(gave), np.concatenate(wanted)
    says, said = every >= np.asarray(threshold), truth >= np.asarray(threshold)
    either = int(np.count_nonzero(says | said))
    return Agreement(
        runtime,
        name,
        len(every),
        error=relative_error(every, truth),
        decisions=float(np.mean(says == said)),
        yes=np.count_nonzero(says & said) / either if either else 1.0,
        yeses=either,
        first_third=part(0, 1 / 3),
        last_third=part(2 / 3, 1),
    )
