"""The recurrent layer of the clock's nets."""

from __future__ import annotations

import numpy as np
import pytest

from device.following.gru import Gru

UNITS, STEPS = 5, 4


def layer(rng: np.random.Generator) -> Gru:
    return Gru(*(rng.normal(0, 0.7, shape).astype(np.float32) for shape in ((UNITS, 3 * UNITS), 3 * UNITS)))


def test_it_follows_the_formula() -> None:
    rng = np.random.default_rng(3)
    weights, bias = rng.normal(0, 0.7, (UNITS, 3 * UNITS)), rng.normal(0, 0.7, 3 * UNITS)
    gru, expected = Gru(weights.astype(np.float32), bias.astype(np.float32)), np.zeros(UNITS)
    for inputs in rng.normal(0, 2, (STEPS, 3 * UNITS)):
        gru.step(inputs.astype(np.float32))
        update, reset, new = np.split(inputs, 3)
        of_update, of_reset, of_new = np.split(expected @ weights + bias, 3)
        keep, reset = (1 / (1 + np.exp(-x)) for x in (update + of_update, reset + of_reset))
        expected = keep * expected + (1 - keep) * np.tanh(new + reset * of_new)
        assert gru.memory == pytest.approx(expected, abs=1e-5)


def test_what_it_forgot_changes_nothing() -> None:
    first, other = (layer(np.random.default_rng(1)) for _ in range(2))
    inputs = np.random.default_rng(2).normal(0, 2, (2, 3 * UNITS)).astype(np.float32)
    first.step(inputs[0])
    assert first.memory.any()
    first.forget()
    for gru in (first, other):
        gru.step(inputs[1])
    np.testing.assert_array_equal(first.memory, other.memory)


def test_it_leaves_its_inputs_as_they_are() -> None:
    inputs = np.ones(3 * UNITS, np.float32)
    layer(np.random.default_rng(1)).step(inputs)
    assert (inputs == 1).all()
