"""The net that tells the beat onset by onset, and what it does to the weights of the hypotheses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.following.bank import QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.beat_net import LEAST, PLACES, POWER, BeatNet
from device.following.next_onset import QUARTER

BEAT_S = 0.6
TUNE = (60, 62, 64, 65, 67, 65, 64, 62)


def after_a_tune(beats: int, late_beats: float = 0.0) -> tuple[BeatNet, float]:
    """Return the net after four counts and a tune in quarters and eighths, and the true place of its last onset."""
    net = BeatNet(Meter(4, 4))
    net.count_in(0.0, BEAT_S)
    places = [i + half for i in range(beats) for half in ((0.0, 0.5) if i % 2 else (0.0,))]
    before = TUNE[0]
    for i, place in enumerate(places):
        pitch = TUNE[i % len(TUNE)]
        net.hear((1 + place + late_beats) * BEAT_S, pitch, pitch - before if i else 0, 1)
        before = pitch
    return net, places[-1]


def test_after_a_count_in_it_knows_the_beat_of_a_tune_in_time() -> None:
    for beats in range(8, 40, 3):
        net, place = after_a_tune(beats)
        share = net.shares_at(np.arange(0, 1, 1 / PLACES) + place)
        assert share.argmax() in (0, 1, PLACES - 1)
        assert net.beat_s == pytest.approx(BEAT_S, rel=0.12)


def test_a_hypothesis_on_the_beat_gains_over_one_beside_it_in_the_order_of_the_weights() -> None:
    net, place = after_a_tune(17)
    onset_s = (1 + place) * BEAT_S
    on, off = round(place % 1 * QUARTER), round((place + 0.25) % 1 * QUARTER)
    bank = HypothesisBank.new(
        onset_s,
        np.full(2, BEAT_S),
        tick=np.array([off, on]),
        manner=np.zeros(2, np.int64),
        weight=np.array([0.51, 0.49]),
        variance=(1e-4, 1e-4),
        gap=QUARTER,
    )
    weighed = net.reweighed(bank, onset_s, QUARTER)
    assert weighed.whole[TICK, 0] == on
    assert weighed.real[WEIGHT, 0] > 0.5 and weighed.real[WEIGHT].sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(8))
def test_the_weights_follow_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net, place = after_a_tune(8 + seed)
    onset_s, n, beat = (1 + place) * BEAT_S, 60, 36 if seed % 2 else QUARTER
    bank = HypothesisBank.new(
        onset_s,
        rng.uniform(0.3, 0.9, n),
        tick=rng.integers(0, 96, n),
        manner=np.arange(n),
        weight=rng.dirichlet(np.ones(n)),
        variance=(1e-4, 1e-4),
        gap=QUARTER,
    )
    bank.real[TIME] -= rng.uniform(-1, 1, n)
    ticks = bank.whole[TICK] + QUARTER * (onset_s - bank.real[TIME]) / bank.real[QUARTER_S]
    p = net.posterior
    smooth = 0.5 * p + 0.25 * (np.roll(p, 1) + np.roll(p, -1))
    at = (ticks / beat - net.own_place) * PLACES
    share = np.interp(at % PLACES, np.arange(PLACES + 1), np.append(smooth, smooth[0]))
    weight = bank.real[WEIGHT] * (PLACES * share + LEAST) ** POWER
    weighed, order = net.reweighed(bank, onset_s, beat), np.argsort(-weight)
    assert weighed.real[WEIGHT] == pytest.approx(weight[order] / weight.sum(), rel=1e-6)
    assert (weighed.whole == bank.whole[:, order]).all()


@given(
    st.lists(
        st.tuples(st.floats(-5, 1e5), st.integers(0, 127), st.integers(-127, 127), st.integers(0, 88)), max_size=30
    ),
    st.one_of(st.none(), st.floats(0.05, 10)),
    st.sampled_from(["4/4", "6/8", "2/2", "3/8", "7/8"]),
)
def test_any_onsets_leave_a_posterior_and_a_beat(
    onsets: list[tuple[float, int, int, int]], counted_s: float | None, meter: str
) -> None:
    """Times may go back, gaps may last a day, and intervals may be wider than a piano."""
    net = BeatNet(Meter.parse(meter))
    if counted_s is not None:
        net.count_in(0.0, counted_s)
    for onset in onsets:
        net.hear(*onset)
        assert net.posterior.sum() == pytest.approx(1, abs=1e-4) and (net.posterior >= 0).all()
        assert 0 <= net.own_place < 1
        assert 0.01 < net.beat_s < 50
