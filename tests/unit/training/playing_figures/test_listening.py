"""The page to listen to: a recording of one's own and a recorded run; excerpts of corpora; clear refusals."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.errors import UserError
from device.events import Note
from tests.unit.helpers.pieces import BARS, piece
from training.corpora.pieces import save_piece
from training.playing_figures.blind_test import (
    BLIND_S,
    KEY,
    PAGE,
    blind_page,
    by_chance,
    excerpt_begin,
    order_of,
    score,
)
from training.playing_figures.held_out import excerpt
from training.playing_figures.listening import listen

DEMO = Path(__file__).parents[4] / "demo" / "right-hand.flac"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of the demo, as a run recorded them."""
    folder = tmp_path_factory.mktemp("recorded run")
    sound, rate = soundfile.read(DEMO, stop=6 * soundfile.info(DEMO).samplerate)
    soundfile.write(folder / "capture.wav", sound, rate)
    return folder


def test_what_is_one_s_own_is_played_and_shown(recorded: Path, tmp_path: Path) -> None:
    shutil.copy(recorded / "capture.wav", tmp_path / "my song.wav")
    out = tmp_path / "page"
    words = [str(recorded), str(tmp_path / "my song.wav"), "--cache", str(tmp_path / "none"), "--out", str(out)]
    result = CliRunner().invoke(listen, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (out / "index.html").read_text()
    for stem, link in (("own-0-capture", "own-0-capture"), ("own-1-my song", "own-1-my%20song")):
        assert f'src="{link}.wav"' in page and f'src="{link}.png"' in page
        assert soundfile.info(out / f"{stem}.wav").duration >= 6
        assert (out / f"{stem}.png").stat().st_size > 10_000


def test_a_folder_without_a_capture_and_an_empty_cache_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ["--cache", str(tmp_path / "none"), "--out", str(tmp_path / "page")]
    assert "capture.wav" in str(CliRunner().invoke(listen, [str(tmp_path / "empty"), *words]).exception)
    assert "training prepare" in str(CliRunner().invoke(listen, words).exception)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), max_size=20), st.floats(0, 50), st.floats(1, 40))
def test_an_excerpt_begins_at_zero_and_ends_in_time(
    spans: list[tuple[float, float]], begin_s: float, seconds: float
) -> None:
    notes = [Note(on, on + long, 60, 64, 1.0, on, "left") for on, long in spans]
    shown = excerpt(notes, begin_s, begin_s + seconds)
    assert len(shown) == sum(begin_s <= note.onset_s < begin_s + seconds for note in notes)
    for note in shown:
        assert note.offset_s is not None
        assert 0 <= note.onset_s <= note.offset_s <= seconds + 1e-9


VOID = {"meta", "img", "input", "rect", "line", "circle"}
"""Elements without an end tag in these pages; the last three end themselves, in SVG."""


class Page(HTMLParser):
    """Holds the text and the links of a page. It refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, tag
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def of(self, tag: str, name: str) -> list[str]:
        """The values of an attribute of all elements `tag` that have it."""
        return [str(attrs[name]) for found, attrs in self.found if found == tag and name in attrs]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page and the blind test of two pieces whose hands are known."""
    folder = tmp_path_factory.mktemp("pages")
    for seed in range(2):
        save_piece(folder / "cache", piece(seed, "test"))
    words = ["--cache", str(folder / "cache"), "--out", str(folder / "out"), "--seconds", "4", "--seed", "5"]
    told = CliRunner().invoke(listen, words, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return folder / "out"


def test_both_pages_are_strict_html_and_need_no_network(pages: Path) -> None:
    for name in ("index.html", PAGE):
        text = (pages / name).read_text(encoding="utf-8")
        found = Page(text)
        assert text.startswith('<!doctype html><html lang="en"><head><meta charset="utf-8">')
        ids = [str(attrs["id"]) for _, attrs in found.found if "id" in attrs]
        assert len(ids) == len(set(ids)) and set(found.of("label", "for")) <= set(ids)
        links = found.of("audio", "src") + found.of("img", "src") + found.of("a", "href")
        assert links and all((pages / link).is_file() for link in links)
        assert "://" not in text


def test_a_piece_has_both_rolls_and_a_mark_for_each_harsh_strike_released_at_once(pages: Path) -> None:
    text = (pages / "index.html").read_text(encoding="utf-8")
    figures = re.findall(r"<figure>.*?</figure>", text)
    assert len(figures) == 2
    for figure in figures:
        assert figure.count('class="frame"') == 2 and 'class="left"' in figure and 'class="right"' in figure
        counts = [int(number) for number in re.findall(r": (\d+)[,.]", figure.split("<figcaption>")[1])]
        assert len(counts) == 2 and figure.count('class="harsh"') == sum(counts)


def test_the_blind_test_asks_about_each_piece_and_does_not_give_the_answer_away(pages: Path) -> None:
    text = (pages / PAGE).read_text(encoding="utf-8")
    key = json.loads((pages / KEY).read_text(encoding="utf-8"))
    found = Page(text)
    assert len(found.of("audio", "src")) == 4 and len(found.of("input", "value")) == 4
    assert key["pianist"] == {str(i): side for i, side in enumerate(order_of(2, 5), 1)}
    assert "first" not in text and "seed" not in text
    # the page depends on nothing but the number of the test, a hash of the sounds, and the number of questions
    assert text == blind_page(key["test"], 2)
    lengths = [soundfile.info(pages / name).duration for name in found.of("audio", "src")]
    assert all(BLIND_S * 0.9 < length < BLIND_S + 10 for length in lengths)


def test_the_answers_are_counted_with_the_key_of_the_same_test(pages: Path, tmp_path: Path) -> None:
    key = json.loads((pages / KEY).read_text(encoding="utf-8"))
    answers = {"test": key["test"], "answers": key["pianist"] | {"2": {"a": "b", "b": "a"}[key["pianist"]["2"]]}}
    (tmp_path / "mine.json").write_text(json.dumps(answers))
    told = CliRunner().invoke(listen, ["--answers", str(tmp_path / "mine.json"), "--out", str(pages)])
    assert "1 of 2 right" in told.output and "0.75" in told.output
    (tmp_path / "other.json").write_text(json.dumps(answers | {"test": "another"}))
    with pytest.raises(UserError, match="another test"):
        score(pages / KEY, tmp_path / "other.json")
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(UserError, match="download the answers"):
        score(pages / KEY, tmp_path / "none.json")


def test_guessing_has_its_probability() -> None:
    assert by_chance(0, 6) == 1.0 and by_chance(6, 6) == pytest.approx(1 / 64)


def test_the_order_is_drawn_by_the_seed() -> None:
    assert order_of(40, 1) == order_of(40, 1) != order_of(40, 2)
    assert 10 < order_of(40, 1).count("a") < 30


def test_an_excerpt_begins_on_a_bar_line_after_both_hands_have_begun() -> None:
    bars_s = [2.0 * bar for bar in range(BARS)]
    ours = [Note(s, s + 0.5, 48, 60, 1.0, s, "left") for s in map(float, range(9, 48))]
    true = [Note(s, s + 0.5, 48, 60, 1.0, s, "left") for s in map(float, range(48))]
    begins = {excerpt_begin(bars_s, ours, true, seed) for seed in range(20)}
    assert len(begins) > 5 and all(at in bars_s and at >= 9.0 for at in begins if at is not None)
    assert None not in begins
    assert excerpt_begin(bars_s, ours, true[:4], 0) is None and excerpt_begin(bars_s, [], true, 0) is None
