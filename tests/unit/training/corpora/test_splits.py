"""Splits: a work is never on both sides, and what must not be trained on is never read."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpora import chopin, lieder
from training.corpora.splits import split_of_name, split_of_song


def test_pop909_keeps_its_last_90_songs_for_test() -> None:
    sides = Counter(split_of_song(number) for number in range(1, 910))
    assert sides == {"train": 779, "valid": 40, "test": 90}
    assert [split_of_song(number) for number in (1, 779, 780, 819, 820, 909)] == [
        "train",
        "train",
        "valid",
        "valid",
        "test",
        "test",
    ]


def test_names_fall_about_a_tenth_on_each_smaller_side() -> None:
    sides = Counter(split_of_name(f"composer {number}") for number in range(4000))
    assert 320 < sides["valid"] < 480
    assert 320 < sides["test"] < 480


def test_the_side_of_a_name_never_changes() -> None:
    names = ("Schubert,_Franz", "Schumann,_Clara", "Brahms,_Johannes", "Fauré,_Gabriel", "Wolf,_Hugo")
    assert [split_of_name(name) for name in names] == ["train", "train", "train", "valid", "train"]


@given(st.text(min_size=1))
def test_an_archive_with_decomposed_names_splits_alike(name: str) -> None:
    assert split_of_name(unicodedata.normalize("NFD", name)) == split_of_name(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    ("stem", "work", "movement"),
    [
        ("001-1-BRZ", "001", "001/001"),
        ("001-1a-HO", "001", "001/001"),
        ("009-1b-Sm-002", "009", "009/002"),
        ("009_1et2-1a-W-002", "009", "009/002"),
        ("034_3-1-BH-003", "034", "034/003"),
        ("071_1-1-MEIf", "071", "071/001"),
        ("018-1-BH", "018", "018/001"),
        ("018-1a-Sm-001", "018", "018/001"),
        ("003-1-Sm-piano", "003", "003/001"),
        ("072-1-MEIf-002-marche-funebre", "072", "072/002"),
        ("072sep-1e-Sam-marche-funebre", "072", "072/002"),
        ("072sep-1e-Sam-001-ecossaise", "072", "072/003"),
        ("073-1x-Sam-Secondo", "073", "073/001-secondo"),
        ("GDC-1c-Sam", "GDC", "GDC/001"),
    ],
)
def test_editions_of_a_work_are_told_by_their_name(stem: str, work: str, movement: str) -> None:
    assert chopin.work_of(stem) == work
    assert chopin.movement_of(stem) == movement


def test_a_name_that_is_no_edition_is_refused() -> None:
    with pytest.raises(ValueError, match=r"_x\.krn is not named"):
        chopin.work_of("_x")


@pytest.mark.parametrize(
    "stem",
    [
        "006-1-KI-001",
        "010_7-12-1-KI-008",
        "024-1d-W-003",
        "025-1b-LE-002",
        "028_13-24-1a-C-018",
        "045-2-Sm",
        "066-1axx-COM",
        "068-1-MEIf-004",
        "MEG-1a-CH",
    ],
)
def test_mazurkas_etudes_preludes_and_op_66_are_excluded_by_name(stem: str) -> None:
    assert chopin.is_excluded(stem)


@pytest.mark.parametrize(
    "record",
    [
        "!!!OTL: Mazourka No. 1.",
        "!!!AGN: Mazurka",
        "!!!PTL: ÉTUDES pour le Piano",
        "!!!rism-genre: Etude",
        "!!!OTL: Pre\u0301lude",
        "!!!OTL@@DE: Präludium",
        "!!!OPS: Op. 66",
        "!!!rism-opus: op.  7, no. 2",
    ],
)
def test_they_are_excluded_by_record_whatever_the_name(record: str) -> None:
    assert chopin.is_excluded("099-1-XX", f"!!!COM: Chopin, Fryderyk\n{record}\n**kern\t**kern\n")


@pytest.mark.parametrize(
    ("stem", "record"),
    [
        ("009-1-KI-002", "!!!OTL: 2d Nocturne\n!!!OPS: Op. 9"),
        ("005-1c-HO", "!!!PTL: Rondeau à la Mazur pour le Pianoforte"),
        ("061-1-BR", "!!!AGN: Polonaise; Fantasie\n!!!OPS: Op. 61"),
        ("060-1-BH", "!!!OPS: Op. 60"),
    ],
)
def test_other_works_are_kept(stem: str, record: str) -> None:
    assert not chopin.is_excluded(stem, record)


def test_the_songs_of_op_74_are_on_one_side_in_both_corpora() -> None:
    path = Path("Lieder/scores") / unicodedata.normalize("NFD", chopin.SONGS_COMPOSER) / "Op.74/1_Życzenie/lc1.mxl"
    assert lieder.place_of(path)[0] == chopin.SONGS_COMPOSER


def test_one_edition_of_each_movement_is_primary() -> None:
    stems = ["009-1-KI-002", "009-1b-Sm-002", "009_1et2-1a-W-002", "009-1-KI-003", "018-1-BH", "018-1a-Sm-001"]
    primary = chopin.primary_files([Path(f"{stem}.krn") for stem in stems])
    assert {path.stem for path in primary} == {"009-1-KI-002", "009-1-KI-003", "018-1-BH"}
