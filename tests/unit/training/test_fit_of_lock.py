"""The net of `lock`: takes that change at once, what the clock's beats are judged by, and its fit."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.clock.meter import Meter
from device.following.lock_inputs import INPUTS
from device.following.lock_net import LockNet
from tests.unit.device.following.test_lock_net import a_clock
from training.beat_net.playing import Take, play
from training.lock_net import changes, fit
from training.lock_net.changes import changed, evened
from training.lock_net.fit import first_onsets, kept, lock, told
from training.lock_net.net import FITS, for_the_box, lock_net, scaled, scales_of
from training.lock_net.takes import Batch, batch_of, clock_take, notes_of, performed, simulated
from training.playing_figures.following import Performed
from training.scored_hands import ScoredHand

BEATS = np.append(0.0, np.cumsum(np.tile([1.0, 0.5, 0.5, 1.0, 0.75, 0.25], 20)))
TOP = 60.0 + np.arange(len(BEATS)) % 5
HAND = ScoredHand(Meter(4, 4), BEATS, TOP, TOP - 12, 1 + np.arange(len(BEATS)) % 2)
TUNE = [(2.0 + 0.5 * i, 60 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8]) for i in range(40)]
COUNTS = [(0.5 * i, 72) for i in range(4)]


def a_take(seed: int, free: float = 0.0) -> Take:
    return play(HAND, np.random.default_rng(seed), 80, free)


@pytest.mark.parametrize("seed", range(6))
def test_after_a_pause_all_is_later_by_the_same_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "UNCHANGED", 0.0)
    monkeypatch.setattr(changes, "PAUSES", 1.0)
    take = a_take(seed)
    after = changed(take, np.random.default_rng(seed))
    later_s = after.time_s - take.time_s
    at = int((later_s > 1e-9).argmax())
    assert changes.AFTER <= at < len(take.time_s)
    assert later_s[:at] == pytest.approx(0) and np.ptp(later_s[at:]) < 1e-9 and later_s[-1] > 0
    # the beats after the pause are later by as much, and the onsets keep their places
    assert (after.half_s - take.half_s)[take.half_s > take.time_s[at]] == pytest.approx(later_s[-1])


@pytest.mark.parametrize("seed", range(6))
def test_a_sudden_tempo_changes_all_gaps_by_the_same_factor(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAUSES", 0.0)
    take = a_take(seed)
    after = changed(take, np.random.default_rng(seed), always=True)
    ratio = np.diff(after.time_s) / np.diff(take.time_s)
    assert ratio[: changes.AFTER - 1] == pytest.approx(1)
    assert np.abs(np.log(ratio[-changes.LEFT + 1 :])) == pytest.approx(abs(np.log(ratio[-1])))
    assert changes.LOG_TEMPO[0] - 1e-9 <= abs(np.log(ratio[-1])) <= changes.LOG_TEMPO[1]


def test_an_evened_take_has_its_onsets_on_their_places() -> None:
    take = a_take(3)
    exact, same = evened(take, 0.0), evened(take, 1.0)
    written = (take.is_tap == 0) & (take.is_ornament == 0)
    at_s = np.interp(take.place, np.arange(len(take.half_s)) / 2, take.half_s)
    assert np.abs(take.time_s - at_s)[written].max() > 0.005
    assert exact.time_s[written] == pytest.approx(at_s[written])
    assert same.time_s == pytest.approx(take.time_s)


def test_whole_bars_begin_with_a_bar() -> None:
    for seed in range(8):
        take = play(HAND, np.random.default_rng(seed), 20, 0.0, whole_bars=True)
        written = (take.is_tap == 0) & (take.is_ornament == 0)
        off = take.place[written][:, None] - BEATS
        assert (np.abs((off + 2) % 4 - 2) < 1e-6).any(1).all()


def test_a_beat_of_the_clock_is_right_where_the_true_beat_is_and_wrong_elsewhere() -> None:
    beats = 2.0 + 0.5 * np.arange(40)
    right = clock_take(Meter(4, 4), COUNTS + TUNE, beats, 7.0)
    wrong = clock_take(Meter(4, 4), COUNTS + TUNE, beats + 0.25, 7.0)
    assert right is not None and wrong is not None
    assert right.right[8:].all() and not wrong.right[8:].any()
    assert len(right.inputs) == len(TUNE) and right.inputs.shape[1] == INPUTS
    assert (np.diff(right.heard) >= 0).all() and right.heard[-1] == len(TUNE)
    assert 5 <= (~right.judged).sum() <= 12


def test_takes_are_the_same_for_a_seed_and_the_notes_begin_with_the_taps() -> None:
    some = simulated([HAND], np.ones(1), 2, 1)
    again = simulated([HAND], np.ones(1), 2, 1)
    assert len(some) == 3  # two, and .6 times as many of steady players
    assert all((a.inputs == b.inputs).all() and (a.right == b.right).all() for a, b in zip(some, again, strict=True))
    notes, beats = notes_of(a_take(1))
    assert notes[0][0] == pytest.approx(0.5) and notes == sorted(notes)
    assert (np.diff(beats) > 0).all() and beats[-1] <= notes[-1][0] + 0.1


def batch() -> Batch:
    return batch_of(simulated([HAND], np.ones(1), 3, 2))


@pytest.mark.parametrize("seed", range(3))
def test_the_box_answers_onset_by_onset_with_the_mean_of_what_the_fitted_nets_read_at_once(seed: int) -> None:
    takes = batch()
    scales, rng = scales_of(takes), np.random.default_rng(seed)
    nets = [lock_net() for _ in range(FITS)]
    for net in nets:
        net.set_weights([w + rng.normal(0, 0.2, w.shape) for w in net.get_weights()])
    odds = np.mean([np.array(net(scaled(takes, scales)))[..., 0] for net in nets], axis=0)
    box = LockNet(a_clock(True)._history._inputs, for_the_box(nets, scales))
    for take in range(len(takes.right)):
        box.begin(None)
        for i, inputs in enumerate(takes.inputs[take].astype(float)):
            box.step(inputs)
            for beat in np.flatnonzero((takes.last[take] == i) & (takes.weight[take] > 0)):
                assert box.log_odds(2 * float(takes.silences[take, beat, 0])) == pytest.approx(
                    odds[take, beat], abs=2e-3
                )


def test_a_beat_weighs_one_and_no_beat_nothing() -> None:
    takes = simulated([HAND], np.ones(1), 3, 2)
    made = batch_of(takes)
    assert made.weight.sum() == sum(len(take.right) for take in takes)
    assert made.right.sum() == sum(int(take.right.sum()) for take in takes)
    assert (made.right[made.weight == 0] == 0).all() and not made.judged[made.weight == 0].any()
    early = first_onsets(replace(made, last=made.last + fit.MOST_ONSETS - 20))
    assert (early.weight == made.weight * (made.last < 20)).all() and early.last.max() < fit.MOST_ONSETS


def test_figures_of_a_lock_that_knows_and_of_one_that_does_not() -> None:
    takes = batch()
    takes = replace(takes, judged=takes.weight > 0, right=(np.arange(takes.right.shape[1]) % 3 > 0) * takes.weight)
    assert list(told(takes, takes.right * 0.8 + 0.1)) == [1.0, 0.0, 0.0]
    assert list(told(takes, 0.9 - takes.right * 0.8)) == [0.0, 1.0, 1.0]
    assert list(told(takes, np.full_like(takes.right, 0.9))) == [0.5, 1.0, 0.0]
    assert np.isnan(list(told(replace(takes, right=takes.weight), takes.right))).all()


def test_the_command_fits_keeps_the_takes_and_judges_performances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[str] = []

    def hands(_: Path, split: str) -> tuple[list[ScoredHand], np.ndarray]:
        played.append(split)
        return [HAND], np.ones(1)

    beats = 2.0 + 0.5 * np.arange(40)
    ways = dict.fromkeys([*fit.WAYS, "no count-in"], COUNTS + TUNE)
    piece = Performed("p", Meter(4, 4), ways, dict.fromkeys(ways, beats), dict.fromkeys(ways, beats[::4]), beats[:4])
    monkeypatch.setattr(fit, "likely_hands", hands)
    monkeypatch.setattr(fit, "load_performances", lambda folder: [piece])
    folder, npz = tmp_path / "fit", tmp_path / "net.npz"
    options = ["--out", folder, "--takes", 5, "--epochs", 2, "--npz", npz, "--performances", tmp_path]
    for _ in range(2):
        run = CliRunner().invoke(lock, [str(option) for option in options], catch_exceptions=False)
        assert run.exit_code == 0
        assert all(way in run.output for way in (*fit.WAYS, "simulated, count-in"))
    assert played == ["train", "valid"]
    with np.load(npz) as data:
        assert data["new"].shape[0] == INPUTS and all(np.isfinite(data[name]).all() for name in data)
    one = kept(folder / "takes.npz", lambda: pytest.fail("played again"))
    assert {field.name for field in fields(Batch)} == set(vars(one))
    assert all((folder / f"history-{seed}.csv").read_text().count("\n") == 3 for seed in range(1, 1 + FITS))


def test_a_performance_is_judged_from_5_s_after_its_music_begins() -> None:
    beats = 2.0 + 0.5 * np.arange(40)
    piece = Performed(
        "p",
        Meter(4, 4),
        {"count-in": COUNTS + TUNE, "no count-in": TUNE},
        {"count-in": beats, "no count-in": beats - 2.0},
        {},
        beats[:4],
    )
    (take,) = performed([piece], "count-in")
    assert take.right[8:].all()
    # 7 s, at the tenth beat of the music
    assert (~take.judged).sum() == pytest.approx(10, abs=1)
