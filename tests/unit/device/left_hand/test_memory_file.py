"""The memory of phrases between days: stored, read again, refused if damaged, and kept with a capture."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from device.assemble import left_hand_of
from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.engine import Engine
from device.errors import UserError
from device.events import Note
from device.files.midi.notes import Part
from device.files.midi_run import play_midi
from device.left_hand.memory_file import FILE, keep_memory, read_memory
from device.left_hand.phrase_memory import KEPT, PhraseMemory
from device.recording.capture import KEYS, MEMORY, CaptureSettings, memory_captured
from device.recording.recorder import Recording
from tests.unit.helpers.plays import HOP_S
from tests.unit.helpers.shipped import bundle

TUNE = (60, 62, 64, 60, 67, 65, 64, 62, 60, 64, 67, 72)


def learnt(times: int = 1, below: tuple[int, ...] = ()) -> PhraseMemory:
    """A memory that has heard `TUNE`, one key a half beat, over E major and A minor by turns.

    `below` are the semitones from each key of the tune to the other keys that are struck with it.
    """
    memory = PhraseMemory(keeps=True)
    for i in range(times * len(TUNE)):
        key = TUNE[i % len(TUNE)]
        memory.hear([(0, [key, *(key - by for by in below)])], i % 8)
        memory.learn(1, np.where(np.arange(24) == (4, 21)[i // 4 % 2], -0.1, -5.0).astype(np.float32))
    return memory


def recalled(memory: PhraseMemory, below: tuple[int, ...] = ()) -> list[int | None]:
    memory.reset()
    found: list[int | None] = []
    for i, key in enumerate(TUNE):
        memory.hear([(0, [key, *(key - by for by in below)])], i % 8)
        answer = memory.recall()
        found.append(None if answer is None else int(np.argmax(answer.triads)))
    return found


def test_a_phrase_of_yesterday_is_known_today(tmp_path: Path) -> None:
    keep_memory(learnt(), tmp_path)
    today = recalled(read_memory(tmp_path))
    assert today == recalled(learnt()) and set(today[6:11]) == {21, 4}


def test_without_a_file_the_memory_is_empty_and_keeps_what_comes(tmp_path: Path) -> None:
    memory = read_memory(tmp_path)
    assert memory.keeps and recalled(memory) == [None] * len(TUNE)


def test_a_memory_within_a_piece_forgets_at_a_reset() -> None:
    memory = learnt()
    memory.keeps = False
    assert recalled(memory) == [None] * len(TUNE)


def test_only_the_last_phrases_are_stored(tmp_path: Path) -> None:
    keep_memory(learnt(KEPT // len(TUNE) + 40), tmp_path)
    content = (tmp_path / FILE).read_bytes()
    assert len(content) < 250_000
    assert PhraseMemory.unpacked(content).packed() == content


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"[" * 100_000, json.dumps({"schema": 2}).encode(), b'{"schema": 1, "marks": 5}', b"\xff\xfe"],
)
def test_a_damaged_file_is_named_in_the_log_and_replaced(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert recalled(read_memory(tmp_path)) == [None] * len(TUNE)
    assert "the phrases are learnt again" in caplog.text
    keep_memory(learnt(), tmp_path)
    assert recalled(read_memory(tmp_path)) == recalled(learnt())


@pytest.mark.parametrize("name", ["marks", "pitches", "triads", "keys", "chords"])
def test_columns_that_do_not_fit_together_are_refused(name: str) -> None:
    data = json.loads(learnt().packed())
    data[name] = data[name][: len(data[name]) // 8 * 4]
    with pytest.raises(ValueError, match="do not fit together|not a memory|buffer size|cannot reshape"):
        PhraseMemory.unpacked(json.dumps(data).encode())


def test_a_memory_without_keys_of_an_earlier_version_still_knows_its_chords() -> None:
    data = json.loads(learnt().packed())
    del data["keys"]
    old, new = PhraseMemory.unpacked(json.dumps(data).encode()), PhraseMemory.unpacked(learnt().packed())
    for memory in (old, new):
        for i, key in enumerate(TUNE[:6]):
            memory.hear([(0, [key])], i % 8)
    assert old.recall() is not None and new.recall() is not None
    assert old.next_keys(2) is None and new.next_keys(2) is not None
    assert recalled(PhraseMemory.unpacked(old.packed())) == recalled(old)


@pytest.mark.parametrize("below", [(), (4,), (3, 8)])
def test_a_memory_without_chords_of_an_earlier_version_still_knows_its_phrases(below: tuple[int, ...]) -> None:
    data = json.loads(learnt(below=below).packed())
    del data["chords"]
    for _ in range(2):
        memory = PhraseMemory.unpacked(json.dumps(data).encode())
        assert recalled(memory, below) == recalled(learnt())
        # it is stored again as it was read
        data = json.loads(PhraseMemory.unpacked(json.dumps(data).encode()).packed())


def test_a_full_disk_is_named_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    keep_memory(learnt(), tmp_path / "file")
    assert "the phrases of this session cannot be stored" in caplog.text


def test_a_capture_holds_the_phrases_that_were_known_at_its_beginning(tmp_path: Path) -> None:
    how = CaptureSettings(clock="fixed", tempo=100.0, meter="4/4", count_in=None, bundle="", hears_itself=False)
    memory = learnt()
    Recording(tmp_path / "with", how, None, HOP_S, memory=memory.packed()).close()
    Recording(tmp_path / "without", how, None, HOP_S).close()
    assert memory_captured(tmp_path / "without" / KEYS) is None
    found = memory_captured(tmp_path / "with" / KEYS)
    assert found is not None and recalled(found) == recalled(learnt())
    (tmp_path / "with" / MEMORY).write_text("{}")
    with pytest.raises(UserError, match="move it away"):
        memory_captured(tmp_path / "with" / KEYS)


@pytest.mark.parametrize("kind", ["pipe", "endless link", "gigabyte", "deep", "odd types"])
def test_hostile_phrases_hold_up_neither_a_start_nor_a_capture(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FILE
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless link":
        path.symlink_to("/dev/zero")
    elif kind == "gigabyte":
        with path.open("wb") as file:
            file.truncate(2**30)
    else:
        odd = {"schema": 1, "marks": {"a": 1}, "pitches": [], "triads": 5}
        path.write_text("[" * 100_000 if kind == "deep" else json.dumps(odd))
    assert recalled(read_memory(tmp_path)) == [None] * len(TUNE)
    assert "the phrases are learnt again" in caplog.text
    assert FILE == MEMORY
    with pytest.raises(UserError, match="cannot be read"):
        memory_captured(tmp_path / KEYS)
    keep_memory(learnt(), tmp_path)
    assert recalled(read_memory(tmp_path)) == recalled(learnt())


def test_the_same_memory_gives_the_same_notes() -> None:
    half_beat_s = 0.3
    times = [1.0 + half_beat_s * i for i in range(48)]
    notes = tuple(Note(at, at + 0.28, TUNE[i % len(TUNE)], 64, 1.0, at, "right") for i, at in enumerate(times))
    tune = Part(1, "RH", notes, drums=False, end_s=times[-1] + 0.3)

    def sends(memory: PhraseMemory | None) -> list[object]:
        engine = Engine(
            clock=FixedClock(100.0, Meter(4, 4)), player=left_hand_of(bundle(), memory=memory), memory=memory
        )
        return list(play_midi(engine, tune, HOP_S).sends)

    kept = PhraseMemory(keeps=True)
    first = sends(kept)
    assert first == sends(None)
    after = kept.packed()
    assert sends(PhraseMemory.unpacked(after)) == sends(PhraseMemory.unpacked(after))
    assert len(after) > 2 * len(PhraseMemory(keeps=True).packed())


def test_other_accounts_may_not_read_what_the_player_played(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep_memory(learnt(), tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o640
