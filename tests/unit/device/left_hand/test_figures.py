"""Figures of the bank: which are chosen, which keys they become, and that the same piece gives the same notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.figure_bank import FILE, GROUPS, FigureNote, shipped_bank
from device.left_hand.figure_hand import FigureHand
from device.left_hand.figure_player import FigurePlayer, FigureStrike, parts_of
from device.left_hand.figure_voicing import Ground, keys_of, telling_key
from device.left_hand.harmony import Chord
from device.left_hand.song_figure import FIGURE_BARS, SongFigures
from device.left_hand.voicing import Fingers

BANK_BYTES = 200_000


def read(player: FigurePlayer, meter: str, opening: tuple[int, ...], bars: int = 16) -> list[object]:
    felt = Meter.parse(meter)
    size = felt.steps_per_bar
    steps = [Step(i, i * 0.125, 0.125, i % size, felt, 1.0) for i in range(bars * size)]
    return [player.at(step, None, opening) for step in steps]


def test_the_bank_is_small() -> None:
    assert 10_000 < FILE.stat().st_size <= BANK_BYTES


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8", "2/2", "5/4", "7/4", "12/8"])
def test_the_parts_of_a_bar_make_the_bar(meter: str) -> None:
    felt = Meter.parse(meter)
    parts = parts_of(felt.steps_per_bar, felt.steps_per_beat)
    assert sum(GROUPS[part][0] for part in parts) == felt.steps_per_bar


def test_a_bar_of_three_dotted_beats_has_no_figures() -> None:
    """The net's own texture plays there."""
    felt = Meter.parse("9/8")
    assert parts_of(felt.steps_per_bar, felt.steps_per_beat) == ()


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8", "5/4"])
def test_the_same_opening_gives_the_same_figures_and_another_does_not(meter: str) -> None:
    first = read(FigurePlayer(shipped_bank()), meter, (60, 64, 67))
    assert read(FigurePlayer(shipped_bank()), meter, (60, 64, 67)) == first
    others = [read(FigurePlayer(shipped_bank()), meter, (60, 64, pitch)) for pitch in range(68, 72)]
    assert any(other != first for other in others)


def test_after_reset_nothing_of_the_past_remains() -> None:
    player = FigurePlayer(shipped_bank())
    first = read(player, "4/4", (60,))
    player.reset()
    assert read(player, "4/4", (60,)) == first


@pytest.mark.parametrize("root", range(12))
def test_a_figure_becomes_tones_of_the_chord_below_the_right_hand(root: int) -> None:
    classes = (root, (root + 4) % 12, (root + 7) % 12)
    under = Ground(classes, np.full(12, 0.3, np.float32), np.zeros(12, np.float32), None, 60)
    notes = [FigureNote(0, 4, 0, 0), FigureNote(0, 4, 7, 2), FigureNote(0, 4, 12, 0), FigureNote(0, 4, 16, 1)]
    keys = keys_of(notes, 36 + root, under)
    assert keys and all(key % 12 in classes and key < 60 for key in keys)
    assert max(keys) - min(keys) <= 16


def test_a_tone_that_is_expected_to_clash_is_not_chosen() -> None:
    consonance = np.ones(12, np.float32)
    consonance[4] = -1.0
    under = Ground((0, 4, 7), np.full(12, 0.3, np.float32), consonance, None, 72)
    assert not {key % 12 for key in keys_of([FigureNote(0, 2, 16, 1)], 36, under)} & {4}


@pytest.mark.parametrize("song", [False, True])
def test_the_third_of_a_minor_chord_is_preferred_to_a_root_that_is_about_as_near(song: bool) -> None:
    minor = Ground((0, 3, 7), np.full(12, 0.3, np.float32), np.zeros(12, np.float32), None, 72, song=song)
    assert list(keys_of([FigureNote(0, 2, 14, 0)], 36, minor)) == [51]


def ground(consonance: dict[int, float] | None = None, top: int | None = None, ceiling: int = 72) -> Ground:
    heard = np.zeros(12, np.float32)
    for pitch_class, value in (consonance or {}).items():
        heard[pitch_class] = value
    return Ground((0, 4, 7), np.full(12, 0.3, np.float32), heard, top, ceiling)


def test_a_telling_key_is_a_missing_tone_of_the_triad_within_reach() -> None:
    key = telling_key(48, 48, {0}, ground())
    assert key is not None and key % 12 in (4, 7) and 48 < key <= 64
    assert telling_key(48, 48, {0, 4, 7}, ground()) is None


def test_a_telling_key_is_in_reach_of_a_strike_far_above_the_lowest_key() -> None:
    assert telling_key(38, 55, {0, 4}, ground()) == 43
    assert telling_key(38, 62, {0, 4}, ground()) is None, "19 semitones lie between the only G and the strike"


def test_a_telling_key_neither_clashes_nor_sounds_harsh_nor_crosses_the_right_hand() -> None:
    key = telling_key(48, 48, {0}, ground({4: -1.0}))
    assert key is not None and key % 12 == 7
    key = telling_key(48, 48, {0}, ground(top=65))
    assert key is not None and key % 12 == 7
    key = telling_key(48, 48, {0}, ground(ceiling=54))
    assert key is not None and key < 54


def test_a_telling_key_lies_below_the_strike_if_a_low_right_hand_leaves_no_room_above() -> None:
    assert telling_key(48, 48, {0}, ground(ceiling=50)) == 40
    assert telling_key(48, 48, {0}, ground(ceiling=50), low=42) == 43
    assert telling_key(48, 48, {0}, ground(ceiling=50), low=44) is None
    assert telling_key(48, 48, {0}, replace(ground(ceiling=50), song=True)) is None
    assert telling_key(48, 60, {0}, ground(ceiling=50), low=28) is None, "one hand cannot reach from 60 to 43"


def test_the_key_that_tells_the_chord_of_a_song_makes_no_sixth() -> None:
    """Over E the C an augmented fifth, or a minor sixth, above is left out for G."""
    chosen = {song: telling_key(52, 52, {4}, replace(ground({0: 0.8, 7: 0.4}), song=song)) for song in (False, True)}
    assert chosen == {False: 60, True: 55}
    only_a_sixth = {song: telling_key(52, 52, {4, 7}, replace(ground(), song=song)) for song in (False, True)}
    assert only_a_sixth == {False: 60, True: None}


def test_in_a_song_two_keys_of_a_strike_are_no_sixth() -> None:
    """The bass is the third, so the nearest consonant tone above the figure's place would be the root, a sixth up."""
    notes = [FigureNote(0, 4, 0, 1), FigureNote(0, 4, 8, 0)]
    plain = ground()
    song = replace(plain, song=True)
    assert [key - 40 for key in sorted(keys_of(notes, 40, plain))] == [0, 8]
    assert all((key - 40) % 12 not in (8, 9) for key in keys_of(notes, 40, song))


@pytest.mark.parametrize(("lock", "struck"), [(0.1, {0, 16}), (0.5, {0, 4, 8, 12, 16, 20, 24, 28})])
def test_an_unsure_hand_thins_to_the_beats_and_a_lost_one_to_bass_and_fifth_on_the_bar(
    lock: float, struck: set[int]
) -> None:
    fingers = Fingers()
    hand = FigureHand(shipped_bank(), fingers)
    felt = Meter.parse("4/4")
    for i in range(32):
        fingers_down = set(fingers.down)
        step = Step(i, i * 0.125, 0.125, i % 16, felt, lock)
        keys, _ = hand.at(step, c_major(lock), 1.0)
        assert not keys or i in struck
        if lock < 0.3 and i % 16 == 0:
            assert {key % 12 for key in keys} == {0, 7}
        if lock < 0.3 and i % 16:
            assert set(fingers.down) == fingers_down


def c_major(lock: float) -> Plan:
    fits = np.full(13, 0.05, np.float32)
    fits[[0, 4, 7]] = 0.6
    chord = Chord((0, 4, 7), "C")
    return Plan(False, chord, fits[:12], fits, 0.5, 0.5, 0.3, 72, None, 80.0, lock)


def test_a_key_of_a_song_that_does_not_belong_to_a_new_chord_is_released() -> None:
    """The bass of a song is held until the next bass, unless the chord changes. A root that both chords have stays."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._hand.press([48, 52])
    hand._held.song = True
    hand._held.until, hand._held.struck_at = {48: 99, 52: 99}, {48: 0, 52: 0}
    f_major = replace(c_major(1.0), chord=Chord((5, 9, 0), "F"))
    assert [key for key in (48, 52) if hand._held.is_over(key, f_major, 1)] == []
    assert [key for key in (48, 52) if hand._held.is_over(key, f_major, 2)] == [52]


def keys_of_two_bars(*classes: int) -> list[list[int]]:
    """Play a figure with two low keys on each half of the bar. Returns the keys struck at each step."""
    hand = FigureHand(shipped_bank(), Fingers())
    bar = tuple(FigureNote(at, 8, height, degree) for at in (0, 8) for height, degree in ((0, 0), (7, 2)))
    strikes = {note.position: tuple(n for n in bar if n.position == note.position) for note in bar}

    def at(step: Step, *_: object) -> FigureStrike:
        return FigureStrike(strikes.get(step.position, ()), 0, 40, step.is_bar, False, 8)

    hand._player.at = at  # type: ignore[method-assign, assignment]
    plan = replace(c_major(1.0), chord=Chord(classes, "of the test"), top=classes[0] + 72)
    felt = Meter.parse("4/4")
    steps = [Step(i, i * 0.125, 0.125, i % 16, felt, 1.0) for i in range(32)]
    return [hand.at(step, plan, 1.0)[0] for step in steps]


def test_a_minor_triad_is_complete_on_the_bar_line_and_on_the_half_of_the_bar() -> None:
    struck = keys_of_two_bars(9, 0, 4)
    for half in range(0, 32, 8):
        assert {key % 12 for key in struck[half]} == {9, 0, 4}


def classes_of_a_beat(song: bool, *classes: int) -> set[int]:
    """Play one low key on the second beat and one an eighth later. Returns the pitch classes of the beat."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._entered = True
    notes = {at: (FigureNote(at, 2, height, degree),) for at, height, degree in ((4, 0, 0), (6, 7, 2))}

    def at(step: Step, *_: object) -> FigureStrike:
        return FigureStrike(notes.get(step.position, ()), 0, 40, step.is_bar, song, 2)

    hand._player.at = at  # type: ignore[method-assign, assignment]
    plan = replace(c_major(1.0), chord=Chord(classes, "of the test"), top=classes[0] + 72)
    steps = [Step(i, i * 0.125, 0.125, i, Meter.parse("4/4"), 1.0) for i in range(4, 8)]
    return {key % 12 for step in steps for key in hand.at(step, plan, 1.0)[0]}


def test_a_strike_between_two_beats_completes_a_minor_triad_in_pieces() -> None:
    assert classes_of_a_beat(False, 9, 0, 4) == {9, 0, 4}
    assert len(classes_of_a_beat(False, 0, 4, 7)) == 2, "two tones tell a major triad"
    assert len(classes_of_a_beat(True, 9, 0, 4)) == 2, "songs get no such key"


def test_a_bass_that_has_sounded_in_the_beat_gives_way_to_another_tone_in_pieces() -> None:
    again = [FigureNote(2, 2, 0, 0)]
    known = replace(ground(top=72), sounded=frozenset({0}))
    assert {key % 12 for key in keys_of(again, 36, known)} <= {4, 7}
    assert list(keys_of(again, 36, replace(known, song=True))) == [36]
    assert list(keys_of(again, 36, replace(known, top=None))) == [36], "on a beat"
    assert list(keys_of(again, 36, replace(known, sounded=frozenset()))) == [36]


@pytest.mark.parametrize(("song", "number"), [(False, 3), (True, 2)])
def test_a_single_key_on_the_bar_line_becomes_a_whole_minor_triad_in_pieces(song: bool, number: int) -> None:
    hand = FigureHand(shipped_bank(), Fingers())
    strike = FigureStrike((FigureNote(0, 8, 0, 0),), 0, 40, True, song, 8)
    hand._player.at = lambda step, *_: strike  # type: ignore[method-assign, assignment]
    plan = replace(c_major(1.0), chord=Chord((9, 0, 4), "Am"))
    keys, _ = hand.at(Step(0, 0.0, 0.125, 0, Meter.parse("4/4"), 1.0), plan, 1.0)
    assert len({key % 12 for key in keys}) == len(keys) == number


@pytest.mark.parametrize(("position", "number"), [(0, 2), (4, 1), (8, 2), (12, 1)])
def test_a_single_key_of_a_song_gets_another_on_the_bar_line_and_on_the_half_of_the_bar(
    position: int, number: int
) -> None:
    hand = FigureHand(shipped_bank(), Fingers())
    hand._entered = True
    strike = FigureStrike((FigureNote(position, 4, 0, 0),), 0, 40, position == 0, True, 4)
    hand._player.at = lambda step, *_: strike  # type: ignore[method-assign, assignment]
    step = Step(position, 0.125 * position, 0.125, position, Meter.parse("4/4"), 1.0)
    assert len(hand.at(step, c_major(1.0), 1.0)[0]) == number


def test_two_tones_of_a_major_triad_need_no_further_key() -> None:
    struck = keys_of_two_bars(0, 4, 7)
    assert all(struck[half] and not struck[half + 2] for half in range(0, 32, 8))


def test_a_key_of_a_song_stays_while_no_other_key_has_its_tone() -> None:
    hand, plan = FigureHand(shipped_bank(), Fingers()), c_major(1.0)
    hand._hand.press([48, 52])
    hand._held.song = True
    hand._held.until, hand._held.struck_at = {48: 1, 52: 1}, {48: 0, 52: 0}
    assert not hand._held.is_over(52, plan, 1)
    assert hand._held.is_over(52, plan, 2), "no third is held for longer than an eighth for this reason"
    hand._hand.press([64])
    assert hand._held.is_over(52, plan, 1), "another key has the tone now"


def test_a_key_of_a_song_stays_for_half_a_bar_if_one_tone_of_the_triad_would_sound_without_it() -> None:
    hand, plan = FigureHand(shipped_bank(), Fingers()), c_major(1.0)
    hand._hand.press([48, 52])
    hand._held.song = True
    hand._held.until, hand._held.struck_at = {48: 12, 52: 3}, {48: 0, 52: 0}
    assert [now for now in range(3, 12) if hand._held.is_over(52, plan, now)] == [8, 9, 10, 11]
    hand._hand.press([55])
    hand._held.until[55], hand._held.struck_at[55] = 12, 0
    assert hand._held.is_over(52, plan, 3), "two other tones sound on"
    hand._held.until = {48: 3, 52: 3, 55: 3}
    assert hand._held.is_over(52, plan, 3), "no third is held into a rest"


@pytest.mark.parametrize(("song", "top", "stays"), [(True, 79, True), (True, 74, False), (False, 79, False)])
def test_a_strike_of_one_tone_on_a_beat_of_a_song_keeps_another_tone_of_the_triad(
    song: bool, top: int, stays: bool
) -> None:
    """A D above makes E harsh, so E is released all the same."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._hand.press([52])
    hand._held.song = hand._entered = True
    hand._base, hand._held.until, hand._held.struck_at = 48, {52: 4}, {52: 0}
    notes = {4: (FigureNote(4, 2, 0, 0),)}
    hand._player.at = lambda step, *_: FigureStrike(  # type: ignore[method-assign, assignment]
        notes.get(step.position, ()), 0, 40, False, song, 2
    )
    keys, lifted = hand.at(Step(4, 0.5, 0.125, 4, Meter.parse("4/4"), 1.0), replace(c_major(1.0), top=top), 1.0)
    assert {key % 12 for key in keys} == {0}
    assert (52 in hand._hand.down, 52 in lifted) == (stays, not stays)


def clashing(song: bool) -> list[int]:
    """Return the steps after its strike at which a key that clashes with the melody must be released."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._hand.press([48])
    hand._held.song, hand._held.until, hand._held.struck_at = song, {48: 99}, {48: 0}
    return [now for now in range(1, 4) if hand._held.is_over(48, replace(c_major(1.0), top=73), now)]


def test_a_key_that_clashes_is_released_at_once_in_songs_and_after_an_eighth_in_pieces() -> None:
    assert clashing(song=True) == [1, 2, 3]
    assert clashing(song=False) == [2, 3]


def test_the_first_bar_of_a_figure_comes_again_twice_and_the_four_bars_after_four() -> None:
    felt = Meter.parse("4/4")
    player = FigurePlayer(shipped_bank())
    bars: list[list[tuple[FigureNote, ...]]] = [[] for _ in range(8)]
    for i in range(8 * 16):
        struck = player.at(Step(i, i * 0.125, 0.125, i % 16, felt, 1.0), None, (60, 64, 67))
        assert struck is not None and not struck.song
        bars[i // 16].append(struck.notes)
    assert bars[0] == bars[1] == bars[2] and bars[4:] == bars[:4]


def test_regular_excerpts_are_chosen_rather_than_irregular_ones() -> None:
    bank = shipped_bank()
    chosen = []
    for pitch in range(40, 80):
        player = FigurePlayer(bank)
        read(player, "3/4", (pitch,), bars=1)
        number = player._playing[1].number
        assert number is not None
        chosen.append(number)
    there = bank.group == 1
    assert bank.uneven[chosen].mean() < 0.6 * bank.uneven[there].mean()
    assert bank.varied[chosen].mean() < bank.varied[there].mean()


def test_no_excerpt_is_chosen_that_would_leave_a_bar_silent() -> None:
    assert shipped_bank().rests.any(), "the bank has such excerpts"
    for pitch in range(40, 80):
        strikes = read(FigurePlayer(shipped_bank()), "3/4", (pitch,), bars=4)
        for bar in range(4):
            assert any(strike.notes for strike in strikes[12 * bar : 12 * bar + 12])  # type: ignore[attr-defined]


def test_an_excerpt_that_repeats_one_bar_of_single_keys_is_the_most_regular() -> None:
    bank = shipped_bank()
    for number in np.flatnonzero(bank.uneven == 0.0)[:20]:
        for bar in bank.excerpt(int(number)).bars:
            keys = [sum(note.position == at for note in bar) for at in sorted({note.position for note in bar})]
            assert len(set(keys)) <= 1
    assert float(bank.varied.max()) == 1.0 and float(bank.varied.min()) > 0.0


def test_a_hand_that_enters_where_its_figure_has_no_strike_plays_the_bass() -> None:
    hand = FigureHand(shipped_bank(), Fingers())
    hand._player.at = lambda step, *_: FigureStrike((), 0, 40, False, False)  # type: ignore[method-assign, assignment]
    felt = Meter.parse("4/4")
    struck = [hand.at(Step(i, i * 0.125, 0.125, i % 16, felt, 1.0), c_major(1.0), 1.0)[0] for i in range(8, 16)]
    assert len(struck[0]) == 1 and struck[0][0] % 12 in (0, 4, 7)
    assert not any(struck[1:2] + struck[3:])
    again = FigureHand(shipped_bank(), Fingers())
    again._player.at = hand._player.at  # type: ignore[method-assign]
    assert not again.at(Step(4, 0.5, 0.125, 4, felt, 1.0), c_major(1.0), 1.0)[0], "not on another beat"


def test_the_first_strike_after_silence_lies_on_a_beat() -> None:
    """The figure strikes between beats only, so the hand enters with the bass of the next half of a bar."""
    hand = FigureHand(shipped_bank(), Fingers())
    notes = {at: (FigureNote(at, 2, 0, 0),) for at in (2, 6, 10, 14)}
    hand._player.at = lambda step, *_: FigureStrike(notes.get(step.position, ()), 0, 40, False, False, 4)  # type: ignore[method-assign, assignment]
    felt = Meter.parse("4/4")
    struck = [hand.at(Step(i, i * 0.125, 0.125, i % 16, felt, 1.0), c_major(1.0), 1.0)[0] for i in range(4, 16)]
    assert [at for at, keys in enumerate(struck, 4) if keys] == [8, 10, 14]


def test_few_bars_of_a_song_have_exactly_the_rhythm_of_four_bars_before() -> None:
    """In POP909 9 % of the bars have it."""
    songs, rng = SongFigures(shipped_bank().arrays), np.random.default_rng(1)
    same = []
    for _ in range(60):
        figure = songs.draw(rng, 1.5, 0.0)
        rhythms = [{note.position for note in bar} for bar in figure.bars]
        assert len(rhythms) == len(figure.lifts) == FIGURE_BARS
        same += [a == b for a, b in zip(rhythms, rhythms[4:], strict=False)]
    assert 0.0 < np.mean(same) < 0.25


@pytest.mark.parametrize(("song", "first"), [(False, 4), (True, 8)])
def test_the_first_strike_after_silence_lies_on_the_half_of_the_bar_in_songs(song: bool, first: int) -> None:
    """The figure strikes on every beat. A hand that entered on a weak beat would not tell where the bar is."""
    hand = FigureHand(shipped_bank(), Fingers())
    notes = {at: (FigureNote(at, 2, 0, 0),) for at in (0, 4, 8, 12)}
    hand._player.at = lambda step, *_: FigureStrike(notes.get(step.position, ()), 0, 40, False, song, 4)  # type: ignore[method-assign, assignment]
    felt = Meter.parse("4/4")
    struck = [hand.at(Step(i, i * 0.125, 0.125, i % 16, felt, 1.0), c_major(1.0), 1.0)[0] for i in range(4, 16)]
    assert [at for at, keys in enumerate(struck, 4) if keys][0] == first
