"""The measures of a clock that follows real performances, on beats whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest

from device.bundles.bundle import Bundle, default_bundle
from device.clock.meter import Meter
from device.errors import UserError
from training.playing_figures.followed_hand import place_errors
from training.playing_figures.following import (
    COUNT_IN,
    QUARTER_HOP_MS,
    RUNS,
    WAYS,
    Performed,
    Told,
    followed,
    held,
    load_performances,
    losses,
    scored,
    summed,
)
from training.playing_figures.following_peers import PEERS, constant, last_interval
from training.playing_figures.following_table import KeptRows, evaluate_following

TRUE = 10 + 0.5 * np.arange(40)


@pytest.fixture(autouse=True)
def short_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of 3,000 notes instead of 55,000."""
    monkeypatch.setattr("training.playing_figures.following_table.FLOOD_S", 0.5)


@pytest.fixture
def one_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.playing_figures.following_table.PEERS", {"constant": constant})


def given(times: np.ndarray, lock: float = 1.0) -> Told:
    return Told(times, np.full(len(times), lock))


def test_true_beats_score_1_and_beats_between_them_score_nothing() -> None:
    right = scored(TRUE, given(TRUE), 10.0)
    assert (right["F70"], right["CMLt"], right["held"], right["losses"]) == (1.0, 1.0, 1.0, [])
    between = scored(TRUE, given(TRUE + 0.25), 10.0)
    assert (between["F70"], between["held"]) == (0.0, 0.0)


def test_the_f_measure_of_the_bars_is_that_of_the_downbeats() -> None:
    def bar_f(told_bars: np.ndarray) -> float:
        told = Told(TRUE, np.ones(len(TRUE)), told_bars)
        return float(scored(TRUE, told, 10.0, TRUE[::4])["bar F"])

    assert bar_f(TRUE[::4]) == 1.0
    assert bar_f(TRUE[1::4]) == 0.0
    assert 0.6 < bar_f(TRUE[::2]) < 0.7
    assert "bar F" not in scored(TRUE, given(TRUE), 10.0, TRUE[::4])
    rows = [scored(TRUE, Told(TRUE, np.ones(len(TRUE)), TRUE[k::4]), 10.0, TRUE[::4]) for k in (0, 1)]
    assert summed(rows)["bar F"] == 0.5


def test_double_tempo_holds_no_beat_though_it_hits_every_one() -> None:
    double = scored(TRUE, given(10 + 0.25 * np.arange(80)), 10.0)
    assert double["F70"] > 0.6
    assert double["held"] < 0.1


def test_a_beat_is_held_within_a_share_of_the_interval() -> None:
    moved = TRUE.copy()
    moved[10] += 0.16 * 0.5
    moved[20] += 0.19 * 0.5
    assert np.flatnonzero(~held(TRUE, moved)).tolist() == [20]


def test_a_loss_ends_with_four_beats_in_a_row() -> None:
    on = np.ones(30, bool)
    on[5:8] = on[10] = False
    on[20] = False
    assert losses(on) == [6]
    on[26:] = False
    assert losses(on) == [6, None]


@pytest.mark.parametrize(
    ("slow", "runs", "most"),
    [(({3},), 1, 3.0), (({3, 7}, {7}, set()), 3, 1.0), (({3, 7}, {7}, {7}), 3, 9.0)],
)
def test_a_hop_is_slow_only_if_it_is_slow_each_time(
    monkeypatch: pytest.MonkeyPatch, slow: tuple[set[int], ...], runs: int, most: float
) -> None:
    """Each run has the hops that take 9 ms, but in the first case 3 ms. All other hops take 1 ms."""
    long_ms = 3.0 if runs == 1 else 9.0
    assert 3.0 < QUARTER_HOP_MS < 9.0 and RUNS == 3
    heard: list[int] = []

    def told_to(_clock: object, played: list[tuple[float, float, int]]) -> Told:
        assert len(played) == 1
        heard.append(len(heard))
        times = np.array([long_ms if hop in slow[heard[-1]] else 1.0 for hop in range(20)])
        return Told(TRUE, np.ones(len(TRUE)), TRUE, times)

    monkeypatch.setattr("training.playing_figures.following.told_to", told_to)
    way = "count-in"
    piece = Performed("one", Meter(4, 4), {way: [(0.5, 60)]}, {way: TRUE}, {way: TRUE}, np.arange(COUNT_IN) * 0.5)
    hop_ms = followed(piece, way).hop_ms
    assert len(heard) == runs
    assert hop_ms is not None and hop_ms.max() == most


def test_lock_is_judged_on_beats_held_and_not_held() -> None:
    some = TRUE.copy()
    some[20:] += 0.25
    lock = np.where(np.arange(40) < 20, 0.9, 0.2)
    row = scored(TRUE, Told(some, lock), 10.0)
    assert summed([row])["AUC"] == pytest.approx(1.0)
    assert summed([row])["sure"] == 0.0
    assert summed([scored(TRUE, Told(some, 1 - lock), 10.0)])["sure"] == 1.0


def performance(folder: Path, name: str, tempo: float = 120.0, lowest: int = 60) -> None:
    """A tune of eighths in time from `lowest` on, with four taps before it, in the form of a folder of performances."""
    beat_s, beats = 60 / tempo, 48
    shift = 4 * beat_s
    taps = [i * beat_s for i in range(4)]
    meta = {"ci_shift_s": shift, "ci_taps": taps, "play_meter": "4/4"}
    (folder / f"{name}.json").write_text(json.dumps(meta), encoding="utf-8")

    def midi(path: Path, first: float, counted: bool) -> None:
        file, track = mido.MidiFile(), mido.MidiTrack()
        file.tracks.append(track)
        tune = [(first + 0.5 * i * beat_s, lowest + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8]) for i in range(2 * beats)]
        last = 0
        for time_s, pitch in [*((t, 72) for t in taps if counted), *tune]:
            tick = round(mido.second2tick(time_s, file.ticks_per_beat, 500_000))
            track.append(mido.Message("note_on", note=pitch, velocity=64, time=tick - last))
            track.append(mido.Message("note_off", note=pitch, time=60))
            last = tick + 60
        file.save(path)

    def table(path: Path, first: float) -> None:
        rows = [f"{first + i * beat_s},{int(i % 4 == 0)}" for i in range(beats)]
        path.write_text("\n".join(["time,is_downbeat", *rows]) + "\n", encoding="utf-8")

    midi(folder / f"{name}.rh.mid", 0.0, False)
    midi(folder / f"{name}.ci.rh.mid", shift, True)
    table(folder / f"{name}.beats.csv", 0.0)
    for dose in ("flat", "r25", "r50"):
        midi(folder / f"{name}.{dose}.ci.rh.mid", shift, True)
        table(folder / f"{name}.{dose}.beats.csv", shift)


def test_the_clock_and_the_peers_hold_a_tune_in_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    performance(tmp_path, "tune")
    table = evaluate_following(tmp_path)
    assert set(WAYS) <= set(table)
    assert all(table[way]["held"] > 0.95 for way in WAYS if not way.startswith("no count-in"))
    assert 0 < table["count-in"]["ms"] < 16 * table["count-in"]["worst"]
    assert 0 < table["flood"]["ms"] < 16 * table["flood"]["worst"]
    assert table["constant tempo (causal)"]["F70"] == pytest.approx(1.0)
    assert set(PEERS) & set(table) >= {"constant tempo (causal)", "last interval (cheat)"}
    assert "F70" in capsys.readouterr().out


@pytest.mark.usefixtures("one_peer")
def test_the_left_hand_to_a_tune_in_time_is_near_its_places(tmp_path: Path) -> None:
    performance(tmp_path, "tune")
    table = evaluate_following(tmp_path, bundle=Bundle.open(default_bundle()))
    hand = table["hand, count-in"]
    assert hand["onsets"] > 20
    assert hand["near"] > 0.9
    assert hand["median ms"] < hand["chance ms"]


def test_an_onset_belongs_to_a_place_of_its_kind() -> None:
    told = TRUE + 0.03
    third = told[4:20] + 0.25
    assert place_errors(TRUE, told, third, 4, 0.0) == pytest.approx(np.full(16, 0.03))
    slipped = place_errors(TRUE, TRUE + 0.25, TRUE[4:20] + 0.25, 4, 0.0)
    assert slipped == pytest.approx(np.full(16, 0.25))


@pytest.mark.usefixtures("one_peer")
def test_a_run_that_was_cut_goes_on(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        performance(tmp_path, name)
    rows = tmp_path / "rows.jsonl"
    first = evaluate_following(tmp_path, every=2, rows=rows)
    measured = len(rows.read_text().splitlines())
    again = evaluate_following(tmp_path, every=2, rows=rows)
    assert len(rows.read_text().splitlines()) == measured
    assert {way: first[way]["F70"] for way in WAYS} == {way: again[way]["F70"] for way in WAYS}
    evaluate_following(tmp_path, every=1, rows=rows)
    assert len(rows.read_text().splitlines()) == measured * 3 // 2
    assert KeptRows(rows).get("count-in", "c", dict)["F70"] > 0.9


def test_the_constant_peer_loses_another_tempo_and_the_cheat_does_not(tmp_path: Path) -> None:
    performance(tmp_path, "tune")
    (piece,) = load_performances(tmp_path)
    slower = piece.beats["count-in"][0] + 0.56 * np.arange(48)
    piece.beats["count-in"] = slower
    assert scored(slower, given(constant(piece)), 7.0)["held"] < 0.5
    assert scored(slower, given(np.unique(last_interval(piece))), 7.0)["held"] > 0.95


def test_a_folder_without_performances_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No performances in .*give the folder that holds"):
        load_performances(tmp_path)
