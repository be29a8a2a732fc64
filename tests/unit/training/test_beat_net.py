"""The net that tells the beat from onsets alone: its simulated playing, inputs, place of its own and fit."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.clock.meter import Meter
from device.errors import UserError
from device.following.beat_net import PLACES, TAPS, BeatNet
from training.beat_net import judge, playing
from training.beat_net import takes as takes_module
from training.beat_net.inputs import WIDTH, heard, inputs_of
from training.beat_net.judge import chord_onsets, is_right
from training.beat_net.likely_hands import likely_hands
from training.beat_net.net import OUTPUTS, beat_net, for_the_box, loss, right
from training.beat_net.playing import play
from training.beat_net.takes import BATCH, ONSETS, Takes, TakesAhead
from training.playing_figures.following import Performed
from training.scored_hands import ScoredHand

BEATS = np.append(0.0, np.cumsum(np.tile([1.0, 0.5, 0.5, 1.0, 0.75, 0.25], 20)))
TOP = 60.0 + np.arange(len(BEATS)) % 5
HAND = ScoredHand(Meter(4, 4), BEATS, TOP, TOP - 12, 1 + np.arange(len(BEATS)) % 2)


@pytest.mark.parametrize("seed", range(12))
def test_a_take_is_in_order_and_has_its_taps_on_the_beat(seed: int) -> None:
    take = play(HAND, np.random.default_rng(seed), 80)
    assert (np.diff(take.time_s) > 0).all()
    assert (take.beat_s > 0).all() and np.isfinite(take.place).all()
    assert take.is_tap.sum() == TAPS * take.counted
    assert (take.place[take.is_tap > 0] % 1 == 0).all()


def test_strict_playing_has_one_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "STRICT", 1.0)
    take = play(HAND, np.random.default_rng(3), 80)
    music = (take.is_tap == 0) & (take.is_ornament == 0)
    assert np.ptp(take.beat_s[music]) == pytest.approx(0, abs=1e-9)
    off_s = take.time_s[music] - take.place[music] * take.beat_s[music]
    assert np.std(off_s) < 0.05


def test_inputs_depend_on_no_later_onset() -> None:
    music = heard(play(HAND, np.random.default_rng(5), 80))
    later = replace(music, time_s=music.time_s + 0.1 * (np.arange(len(music.time_s)) > 40))
    x, y = inputs_of(music), inputs_of(later)
    assert x.shape == (len(music.time_s), WIDTH)
    assert (x[:41] == y[:41]).all() and (x[41] != y[41]).any()


def test_the_place_of_its_own_moves_on_by_the_gap() -> None:
    strict = replace(
        heard(play(HAND, np.random.default_rng(2), 80)),
        time_s=0.5 * np.append(np.arange(-4, 0), BEATS[:60]),
        first=np.full(64, 60.0),
        top=np.full(64, 60.0),
        keys=np.ones(64),
        is_tap=(np.arange(64) < TAPS).astype(float),
        counted=True,
    )
    net = beat_net()
    # no pull and no correction: all logits are the same
    net.set_weights([w * 0 for w in net.get_weights()])
    own = np.array(net(inputs_of(strict)[None]))[0, :, 2 * PLACES]
    off = own[TAPS:] - BEATS[:60]
    assert np.abs(off - np.rint(off)).max() < 1e-3


def test_a_right_answer_has_less_loss_than_a_wrong_one() -> None:
    true = np.zeros((1, 8, 3), np.float32)
    true[..., 0], true[..., 2] = 0.25, 1
    out = np.zeros((1, 8, OUTPUTS), np.float32)
    out[..., 2 * PLACES + 1] = 0.25
    out[..., PLACES // 4] = 5
    wrong = out.copy()
    wrong[..., PLACES // 4], wrong[..., PLACES // 2] = 0, 5
    assert float(right(true, out)) == pytest.approx(1) and float(right(true, wrong)) == 0
    assert float(loss(true, out)) < float(loss(true, wrong))


def test_a_block_with_a_number_is_always_the_same_and_the_first_has_no_rubato() -> None:
    takes = Takes([HAND], np.ones(1), 1)
    x, y = takes.block(9)
    again = Takes([HAND], np.ones(1), 1).block(9)
    assert (x == again[0]).all() and (y == again[1]).all()
    assert (x != takes.block(10)[0]).any()

    def spread(of: tuple[np.ndarray, np.ndarray]) -> float:
        return float(np.median([np.ptp(row[row[:, 2] == 1, 1]) for row in of[1]]))

    assert spread(takes.block(0)) < 0.1 < spread(takes.block(500))
    assert spread(Takes([HAND], np.ones(1), 1, begins=False).block(0)) > 0.1


def test_another_process_plays_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []

    class Player:
        def __init__(self, *_: object) -> None: ...

        def submit(self, _: object, number: int) -> Future[tuple[np.ndarray, np.ndarray]]:
            played.append(number)
            done: Future[tuple[np.ndarray, np.ndarray]] = Future()
            done.set_result(Takes([HAND], np.ones(1), 1).block(number))
            return done

        def shutdown(self, cancel_futures: bool) -> None: ...

    monkeypatch.setattr(takes_module, "ProcessPoolExecutor", Player)
    ahead = TakesAhead(tmp_path, 1)
    batches = [ahead.batch(number) for number in (0, 1, 8, 1)]
    assert batches[0][0].shape == (BATCH, ONSETS, WIDTH)
    assert (batches[1][0] == batches[3][0]).all() and (batches[0][0] != batches[1][0]).any()
    # a block is played once while it is used, and the next one while it is
    assert played == [0, 1, 2, 0]
    ahead.close()


@pytest.mark.parametrize("seed", range(6))
def test_the_box_hears_onset_by_onset_what_the_fitted_net_hears_at_once(seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)
    # not longer: the rounding errors of a net that was not fitted grow with the onsets
    take = play(HAND, np.random.default_rng(seed), 40)
    music = heard(take)
    net = beat_net()
    net.set_weights([(w * 1.3).astype(np.float16) for w in net.get_weights()])
    out = np.array(net(inputs_of(music)[None]))[0]
    box = BeatNet(music.meter, for_the_box(net))
    if music.counted:
        box._begin(music.unit_s, counted=True)
    for i, (at_s, first) in enumerate(zip(music.time_s.tolist(), music.first.tolist(), strict=True)):
        if music.is_tap[i]:
            box._step(at_s, semitones=0, keys=1, height=0.0, tap=True)
        else:
            top = music.top[i - 1] if i and not music.is_tap[i - 1] else first
            keys = int(music.keys[i - 1]) if i and not music.is_tap[i - 1] else 1
            box.hear(at_s, int(first), int(first - top), keys)
        share = np.exp(out[i, :PLACES] - out[i, :PLACES].max())
        assert box.own_place == pytest.approx(out[i, 2 * PLACES], abs=5e-3)
        assert box.posterior == pytest.approx(share / share.sum(), abs=5e-3)
    assert np.log2(box.beat_s / music.unit_s) == pytest.approx(out[-1, -1], abs=5e-3)


def test_a_few_steps_lower_the_loss() -> None:
    import keras

    x, y = (of[:BATCH] for of in Takes([HAND], np.ones(1), 1).block(0))
    net = beat_net()
    net.compile(keras.optimizers.Adam(3e-3), loss)
    losses = net.fit(x[:, :24], y[:, :24], epochs=4, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_an_empty_cache_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prepare"):
        likely_hands(tmp_path, "train")


def test_notes_within_45_ms_are_one_onset_and_places_are_compared_around_the_beat() -> None:
    time_s, first, top, keys = chord_onsets([(1.0, 60), (1.03, 64), (1.5, 62)])
    assert time_s.tolist() == [1.0, 1.5] and first.tolist() == [60, 62]
    assert top.tolist() == [64, 62] and keys.tolist() == [2, 1]
    assert is_right(np.array([0.95, 0.5]), np.array([3.0, 3.0])).tolist() == [True, False]


def test_a_net_that_only_moves_on_and_the_taps_are_right_in_strict_time(monkeypatch: pytest.MonkeyPatch) -> None:
    beats = np.arange(40) * 0.5 + 3.0
    notes = [(at, 60) for at in (1.0, 1.5, 2.0, 2.5)] + [(float(at), 60 + i % 5) for i, at in enumerate(beats)]
    piece = Performed("p", Meter(4, 4), {"count-in": notes}, {"count-in": beats}, {"count-in": beats[::4]}, beats[:4])
    monkeypatch.setattr(judge, "load_performances", lambda folder: [piece])
    net = beat_net()
    net.set_weights([w * 0 for w in net.get_weights()])
    shares = judge.shares_right(net, Path(), "count-in")
    assert (shares["net"], shares["clock"], shares["taps"]) == (1.0, 1.0, 1.0)
