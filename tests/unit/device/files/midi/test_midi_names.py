"""Names of tracks in old encodings: decoded where the encoding is clear, and else without letters that nobody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import UserError
from device.files.midi import names as midi_names
from device.files.midi.file import read_midi
from device.files.midi.names import JUDGED_BYTES, _likelihood, names_of
from tests.unit.helpers.midi_bytes import body, chunk, conductor, header, meta, tune


def test_names_are_read_as_utf_8_or_utf_16_and_else_as_western() -> None:
    for name, encoding in (("Rechte Hände 右手", "utf-8"), ("Hände", "latin-1"), ("Вторая рука", "utf-16")):
        assert names_of([name.encode(encoding)]) == [name]
    assert names_of([b"\xef\xbb\xbf right\x00\x1b[2J\x07", b""]) == ["right??[2J?", ""]


def test_a_name_that_was_cut_within_a_character_keeps_the_others() -> None:
    assert names_of(["ピアノ右手".encode()[:-1], "右手".encode("utf-16")[:-1]]) == ["ピアノ右", "右"]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["エレキピアノ", "ﾋﾟｱﾉ", "右手", "Track 1 ピアノ", "①主旋律"]),
        ("gbk", ["电子琴", "右手", "大提琴", "天空之城", "Track 1 钢琴"]),
        ("cp949", ["보컬", "첼로", "오른손", "트랙 1", "엘리제를 위하여"]),
        ("big5", ["電子琴", "大提琴", "右手旋律", "天空之城"]),
        ("cp1251", ["Правая рука", "Скрипка", "ПИАНО", "Дорожка 1"]),
        ("koi8-r", ["Правая рука", "Скрипка", "Дорожка 1"]),
        ("cp1252", ["Mão direita", "Clarinète à bec", "Käthe’s Lied", "Øl", "Étude № 3".replace("№", "n°")]),
    ],
)
def test_the_names_of_a_file_show_its_encoding(encoding: str, names: list[str]) -> None:
    assert names_of([name.encode(encoding) for name in names]) == names


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "右手"), ("gbk", "右手"), ("cp949", "멜로디"), ("big5", "左手")]
)
def test_one_short_name_is_enough_if_it_is_a_usual_one(encoding: str, name: str) -> None:
    assert names_of([name.encode(encoding)]) == [name]


@pytest.mark.parametrize("name", ["© 1999 by the author", "Violino 1°", "Nº 5", "Piano – left", "L’amour", "«Air»"])
def test_a_sign_alone_in_a_western_name_is_no_kana(name: str) -> None:
    assert names_of([name.encode("cp1252")]) == [name]


def test_a_letter_that_cannot_be_decoded_is_a_question_mark() -> None:
    assert names_of(["鼓".encode("gbk"), b"Piano \x81"]) == ["??", "Piano ?"]
    assert names_of(["เปียโน".encode("cp874")])[0].strip("?") == ""


def test_megabytes_of_names_are_judged_by_a_small_part(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def likelihood(contents: list[bytes], encoding: str) -> float:
        judged.append(sum(map(len, contents)))
        return _likelihood(contents, encoding)

    monkeypatch.setattr(midi_names, "_likelihood", likelihood)
    names = [f"トラック{number}".encode("cp932") for number in range(5_000)]
    assert names_of([*names, "ピアノ".encode("cp932") * 1_000_000])[4_999] == "トラック4999"
    assert max(judged) <= JUDGED_BYTES
    assert names_of([b"\xe9" * 1_000_000]) == ["?" * 1_000_000]


def test_a_track_is_found_by_its_name_in_shift_jis(tmp_path: Path) -> None:
    tracks = [[(0, meta(0x03, name.encode("cp932"))), *tune()] for name in ("ピアノ右手", "左手")]
    path = tmp_path / "a.mid"
    path.write_bytes(header(3) + conductor() + b"".join(chunk(body(timed)) for timed in tracks))
    assert len(read_midi(path).part("ピアノ右手").notes) == 32
    with pytest.raises(UserError, match="1 'ピアノ右手' .32 notes., 2 '左手'"):
        read_midi(path).part()
