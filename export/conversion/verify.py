"""Compares the exported int8 model with the float model, step by step, in every runtime of TFLite.

The two models get the same inputs, but each uses its own states, so errors can accumulate as on the device.
"""

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
"""Least number of steps of a comparison. With fewer steps, an error that grows slowly would stay hidden."""
FEWEST_YESES = 300
"""`Tolerance.yes` is checked only if at least this many values are a yes (reach the threshold). Fewer show chance."""
RUNTIMES: tuple[RuntimeName, ...] = ("litert", "tflite")


@dataclass(frozen=True)
class Tolerance:
    """Holds the limits of the difference between an int8 model and its float model.

    The difference is measured over all steps of the roll-outs. A roll-out is a run of a model over consecutive steps.
    """

    error: float = 0.15
    """Largest allowed relative L2 error of an output over all steps."""
    decisions: float = 0.99
    """Least share of values that are on the same side of the output's threshold in both models."""
    yes: float = 0.8
    """A yes is a value that reaches its threshold. Of the values that are a yes in at least one of the two models, at
    least this share must be a yes in both.

    Most values are a clear no, so `decisions` alone looks too good.
    """
    drift: float = 2.0
    """Largest ratio of two errors: the error in the last third of the steps, divided by the error in the first third.

    If the error in the first third is below a quarter of `error`, it is divided by that quarter.
    """


@dataclass(frozen=True)
class Agreement:
    """Says how well one output of the int8 model in one runtime agrees with the float model.

    `error` is the relative error over all steps, `first_third` and `last_third` are those of parts of the steps.
    `decisions` is the share of values on the same side of the threshold, `yes` the share of common yeses (see
    `Tolerance`).
    """

    runtime: RuntimeName
    output: str
    steps: int
    error: float
    decisions: float
    yes: float
    yeses: int
    """Number of values that reach the threshold in the float model or in the int8 model."""
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
    """Compare the .tflite file `content` with `rolls`, roll-outs of the float `model`, for every runtime and output.

    `thresholds` maps an output to its threshold: one number, or one for each place on its last axis. An output that is
    not named has 0.5. Raises UserError if there are too few steps, or if values are not finite.
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
    """Raise UserError if an output in `agreements` differs from the float model by more than `tolerance`.

    The error names the first such output.
    """
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
    """Compare what a converted model gave with what the float model wants, for one of its outputs.

    `gave` and `wanted` have an array [steps, ...] for each roll. `threshold` is the value from which an output says
    yes.
    """
    scale = float(np.sqrt(np.mean(np.concatenate(wanted).astype(np.float64) ** 2)))

    def part(first: float, last: float) -> float:
        # The error is divided by the level of all steps, because the level of a third with rests only is nearly zero.
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
