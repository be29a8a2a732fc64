"""Tests of the comparison of resamplers, with stand-ins for libraries whose delay and band are known."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner

from device.errors import UserError
from device.hearing.features import FeatureSpec, Samples
from training import resamplers
from training.resamplers import CHUNK, Stream, chunked, level_db, ours

SPEC = FeatureSpec()
RATE = 48_000
HELD_S = 0.01


def every_third(rate: int, model_rate: int) -> Stream:
    """Return a resampler that keeps every third sample without a filter, and outputs each sample `HELD_S` late."""
    held, back = np.zeros(0, np.float32), round(HELD_S * model_rate)
    taken = 0

    def stream(chunk: Samples) -> Samples:
        nonlocal held, taken
        held = np.concatenate([held, chunk[-taken % 3 :: 3]])
        taken += len(chunk)
        ready, held = held[:-back], held[-back:]
        return ready

    return stream


def test_a_library_is_as_late_as_what_it_holds_back() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    hops = chunked(every_third, RATE, SPEC)(noise)
    late_s = [now_s - (k + 1) * SPEC.hop_s for k, (_, now_s) in enumerate(hops)]
    assert all(HELD_S - 1e-9 <= late <= HELD_S + CHUNK / RATE for late in late_s)
    assert max(now_s - (k + 1) * SPEC.hop_s for k, (_, now_s) in enumerate(ours(RATE, SPEC)(noise))) < HELD_S / 3


def test_what_lies_above_the_band_comes_back_where_nothing_filters_it() -> None:
    assert level_db(lambda: chunked(every_third, RATE, SPEC), 12_345.0, RATE) == pytest.approx(0, abs=0.1)
    assert level_db(lambda: ours(RATE, SPEC), 12_345.0, RATE) < -60
    assert level_db(lambda: ours(RATE, SPEC), 1_000.0, RATE) == pytest.approx(0, abs=0.1)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resamplers, "find_spec", lambda name: None if name == "samplerate" else find_spec(name))
    with pytest.raises(UserError, match=r"samplerate to compare with: `make setup`"):
        CliRunner().invoke(resamplers.resamplers, catch_exceptions=False, standalone_mode=False)
