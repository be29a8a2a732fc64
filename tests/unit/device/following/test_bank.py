"""A bank of hypotheses predicts the same variance of a place by both of its methods."""

from __future__ import annotations

import numpy as np
import pytest

from device.following.bank import LONGEST, TP, HypothesisBank
from device.following.manners import MANNERS


@pytest.mark.parametrize("quarters", [-0.5, 0.0, 0.25, 1.0, LONGEST, 2 * LONGEST])
def test_the_variance_of_one_place_is_that_of_the_prediction_with_times(quarters: float) -> None:
    manner = np.arange(MANNERS)
    bank = HypothesisBank.new(
        1.0, np.linspace(0.3, 0.9, MANNERS), 0 * manner, manner, np.full(MANNERS, 1 / MANNERS), (0.01, 0.02), 12
    )
    bank.real[TP] = 0.003
    _, variance = bank.ahead(np.full(MANNERS, quarters))
    assert bank.variance_ahead(quarters) == pytest.approx(variance, rel=1e-12)
