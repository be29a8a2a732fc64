"""The kinds of rhythm follow their rule, and every hypothesis has a prior probability for its next onset."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.bank import GAP, KIND, TICK
from device.following.heard_onsets import Classes, Onset
from device.following.hypotheses import Hypotheses
from device.following.next_onset import GAP_TO_CLASS, QUARTER, SIXTEENTH, UNIT, kind_after, next_prior


def kind_by_rule(kind: int, tick: int, gap: int) -> int:
    """Return the kind after an onset at `tick`, `gap` ticks after one of `kind`, as the rule says."""
    unit, between = int(UNIT[kind]), tick % SIXTEENTH != 0
    if kind > 0 and tick % unit == 0 and gap % unit == 0 and (gap == unit or between):
        return kind
    return 0 if not between else 1 if tick % 8 == 0 else 2 if tick % 4 == 0 else 3


def test_the_kind_after_an_onset_follows_the_rule_for_every_tick_and_gap() -> None:
    kind, tick, gap = (axis.ravel() for axis in np.meshgrid(range(4), range(4 * QUARTER), range(1, 10 * QUARTER)))
    expected = [kind_by_rule(*one) for one in zip(kind.tolist(), tick.tolist(), gap.tolist(), strict=True)]
    assert kind_after(kind, tick, gap).tolist() == expected


@pytest.mark.parametrize("meter", ["4/4", "3/4", "6/8", "5/8", "7/8", "3/16", "6/16", "12/16", "9/8", "12/8", "2/2"])
@pytest.mark.parametrize("counted", [True, False])
def test_every_hypothesis_has_a_prior_whatever_is_played(meter: str, counted: bool) -> None:
    rng = np.random.default_rng(7)
    hypotheses = Hypotheses(Meter.parse(meter))
    now_s = 1.0
    if counted:
        hypotheses.start_counted(now_s, 0.5)
    else:
        hypotheses.start_free(now_s, np.exp(np.linspace(-1.6, 0.7, 20)), 0.6, 0.6)
    prior = next_prior(Meter.parse(meter))
    for _ in range(150):
        now_s += float(rng.choice([0.0625, 0.0833, 0.125, 0.1667, 0.25, 0.5, 0.75, 3.0]) * rng.normal(1.0, 0.05))
        hypotheses.hear(now_s, Onset(Classes((0, int(rng.integers(5))), (0, int(rng.integers(3))))))
        assert hypotheses.bank is not None
        whole = hypotheses.bank.whole
        rows = prior[whole[KIND], whole[TICK], GAP_TO_CLASS[whole[GAP]]]
        # a row that was never written sums to 0; one of a copy that left its group sums to less than 1
        assert (rows.sum(axis=1) > 0.001).all()
