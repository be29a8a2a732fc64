"""The round trip from notes sent and heard, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.calibration import measure as calibrating
from device.calibration.measure import PITCHES, _plan, calibrate
from device.calibration.round_trip import LONGEST_S, DisturbedError, Listening, RoundTrip, evaluate
from device.cli import main
from device.errors import UserError
from device.hearing.pipeline import Hearing
from device.settings.config import parse_config

HOP_S = 0.016
NOISE, NOTE = 0.001, 0.1


def taken(trips: list[float | None], octave: int = 0) -> Listening:
    """One note a second; None for one that is not heard."""
    take = Listening(sent=[(2.0 + i, 72 + i % 5) for i in range(len(trips))])
    take.levels = [(i * HOP_S, NOISE) for i in range(int(2.0 / HOP_S))]
    for (at_s, pitch), trip in zip(take.sent, trips, strict=True):
        take.levels.append((at_s + 0.3, NOTE if trip is not None else NOISE))
        if trip is not None:
            take.heard.append((at_s + trip, pitch + octave))
    return take


@given(st.floats(0.0, 0.5), st.lists(st.floats(-0.008, 0.008), min_size=12, max_size=12))
def test_whatever_the_hops_do_it_stays_within_half_a_hop(trip: float, jitter: list[float]) -> None:
    found = evaluate(taken([trip + j for j in jitter]), "mic")
    assert abs(found.seconds - trip) <= 0.008 + 1e-9
    assert found.seconds >= 0
    assert found.leak_db == pytest.approx(40.0)


def test_single_notes_that_go_astray_move_nothing() -> None:
    found = evaluate(taken([0.05] * 9 + [0.4, None, 0.3]), "mic")
    assert found.seconds == pytest.approx(0.05)
    assert (found.heard, found.sent) == (11, 12)


def test_an_instrument_that_sounds_an_octave_lower_is_heard() -> None:
    assert evaluate(taken([0.05] * 12, octave=-12), "mic").seconds == pytest.approx(0.05)


def test_other_notes_of_the_room_do_not_count() -> None:
    take = taken([0.05] * 12)
    take.heard += [(at_s + 0.01, pitch + 1) for at_s, pitch in take.sent]
    assert evaluate(take, "mic").seconds == pytest.approx(0.05)


def test_silence_is_refused_with_what_to_connect() -> None:
    with pytest.raises(UserError, match='Nothing of the 12 notes came back through "mic": turn the instrument up'):
        evaluate(taken([None] * 12), "mic")


def test_sound_that_is_not_heard_as_its_notes_is_refused_with_its_level() -> None:
    take = taken([0.05] * 12)
    take.heard = take.heard[:3]
    with pytest.raises(UserError, match="Only 3 of the 12 notes were heard .* rose by 40 dB"):
        evaluate(take, "mic")


def test_where_sound_was_lost_that_is_told_and_not_the_instrument_blamed() -> None:
    take = taken([0.05] * 12)
    take.heard, take.xruns = take.heard[:3], 9
    with pytest.raises(DisturbedError, match='lost 9 times on its way from "mic": end other programs'):
        evaluate(take, "mic")
    take.heard = taken([0.05] * 12).heard
    with pytest.raises(DisturbedError):
        evaluate(take, "mic")


def test_where_nothing_came_back_lost_sound_is_not_to_blame() -> None:
    take = taken([None] * 12)
    take.xruns = 9
    with pytest.raises(UserError, match="Nothing of the 12 notes"):
        evaluate(take, "mic")


@pytest.mark.parametrize("disturbed", range(calibrating.TAKES + 1))
def test_another_take_is_made_where_sound_was_lost_and_then_no_more(
    disturbed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = [DisturbedError("lost")] * disturbed + [RoundTrip(0.04, 0.001, 30.0, 12, 12)]

    def measure(*_: object) -> RoundTrip:
        take = takes.pop(0)
        if isinstance(take, RoundTrip):
            return take
        raise take

    monkeypatch.setattr(calibrating, "measure", measure)
    config = parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "piano"\n', "test")
    if disturbed == calibrating.TAKES:
        with pytest.raises(DisturbedError):
            calibrate(config, Hearing.__new__(Hearing), None)
    else:
        assert calibrate(config, Hearing.__new__(Hearing), None).round_trip_ms == 40.0


@pytest.mark.parametrize(("measured", "named"), [(0, "piano: "), (1, "The synthesiser: ")])
def test_of_two_outputs_the_one_that_was_not_heard_is_named(
    measured: int, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = [RoundTrip(0.04, 0.001, 30.0, 12, 12)] * measured

    def measure(*_: object) -> RoundTrip:
        if not trips:
            raise UserError("Nothing came back.")
        return trips.pop()

    monkeypatch.setattr(calibrating, "measure", measure)
    settings = '[audio]\ninput = "mic"\n[midi]\noutput = "piano"\n[play]\nsound = "{}"\n'
    with pytest.raises(UserError, match=f"^{named}Nothing came back.$"):
        calibrate(parse_config(settings.format("both"), "test"), Hearing.__new__(Hearing), None)
    trips.clear()
    with pytest.raises(UserError, match="^Nothing came back.$"):
        calibrate(parse_config(settings.format("midi"), "test"), Hearing.__new__(Hearing), None)


def test_onsets_all_over_the_place_are_refused() -> None:
    with pytest.raises(UserError, match="too uncertain"):
        evaluate(taken([0.05 * (i % 8) for i in range(12)]), "mic")


def test_a_note_that_comes_back_after_too_long_is_not_heard() -> None:
    with pytest.raises(UserError, match="Only 0"):
        evaluate(taken([LONGEST_S + 0.01] * 12), "mic")


def test_notes_fall_evenly_into_the_hops() -> None:
    ons = [at_s for at_s, kind, _ in _plan(HOP_S) if kind == "note_on"]
    assert len(ons) == len(PITCHES)
    places = sorted((at_s % HOP_S) / HOP_S for at_s in ons)
    steps = [(b - a) % 1 for a, b in zip(places, places[1:] + places[:1], strict=True)]
    assert max(steps) < 1.5 / len(PITCHES)
    assert all(a != b for a, b in zip(PITCHES, PITCHES[1:], strict=False))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[audio]\ninput = "midi"\n[midi]\ninput = "k"\noutput = "k"\n', "name a sound input with --input"),
        ('[audio]\ninput = "mic"\n[play]\nlisten = true\n', "nothing to calibrate"),
    ],
)
def test_settings_that_cannot_be_calibrated(tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "box.toml").write_text(settings)
    ran = CliRunner().invoke(main, ["calibrate", "--config", str(tmp_path / "box.toml")])
    assert ran.exit_code == 2
    assert said in ran.stderr
