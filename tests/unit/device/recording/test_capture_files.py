"""The files of a capture: their formats, their permissions, and the folders that are refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import mido
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.errors import UserError
from device.events import Note, Send
from device.files.midi import unfinished
from device.files.midi.file import notes_of, read_midi, write_midi
from device.files.results.notes_csv import header, offset, read_notes, row
from device.files.sound.file import SoundFile
from device.left_hand.performer import Performer, Strike
from device.live.monitor import open_files
from device.recording import wav_writer
from device.recording.folder import CaptureFolder, GrowingFile
from device.recording.midi_writer import MidiWriter
from device.recording.recorder import Recording
from device.recording.wav_writer import SAMPLE_BYTES, WavWriter
from tests.kills import HOW

RATE = 8_000
HOP_S = 0.016

MESSAGES = st.lists(
    st.tuples(
        st.floats(0, 3),
        st.floats(0, 0.5),
        st.sampled_from(["note_on", "note_off", "control"]),
        st.integers(40, 43),
        st.integers(1, 127),
    ),
    max_size=30,
)


def growing(path: Path) -> GrowingFile:
    return GrowingFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


@given(given_messages=MESSAGES, sealed=st.booleans())
def test_messages_written_as_they_come_are_those_of_a_file_that_is_written_at_once(
    given_messages: list[tuple[float, float, str, int, int]], sealed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("midi")
    sends = [
        Send(now_s + ahead_s, now_s, kind, pitch, velocity)  # type: ignore[arg-type]
        for now_s, ahead_s, kind, pitch, velocity in sorted(given_messages)
    ]
    sends += [Send(4.0, 4.0, "note_off", pitch, 0) for pitch in range(40, 44)]
    file = growing(folder / "grown.mid")
    writer = MidiWriter(file, "Left hand")
    for send in sends:
        writer.until(send.sent_s)
        writer.put([send])
    writer.end()
    if sealed:
        writer.seal()
    file.sync()
    file.close()
    write_midi(folder / "whole.mid", sends)
    whole, grown = (read_midi(folder / name).parts for name in ("whole.mid", "grown.mid"))
    assert [part.notes for part in grown] == [part.notes for part in whole]
    controls = [
        [(m.control, m.value) for m in mido.MidiFile(path).tracks[1] if m.type == "control_change"]
        for path in (folder / "whole.mid", folder / "grown.mid")
        if sealed
    ]
    assert not sealed or controls[0] == controls[1]


def test_a_note_that_a_panic_ends_at_its_start_is_no_long_note_in_any_file(tmp_path: Path) -> None:
    performer = Performer()
    sends = performer.strike(1.0, [Strike(1.2, 60, 80, None)])
    sends += performer.panic(1.1)
    sends += performer.strike(4.0, [Strike(4.0, 60, 80, 4.5)]) + performer.finish(5.0)
    file = growing(tmp_path / "grown.mid")
    writer = MidiWriter(file, "Left hand")
    writer.put(sends)
    writer.end()
    file.sync()
    file.close()
    write_midi(tmp_path / "whole.mid", sends)
    for name in ("grown.mid", "whole.mid"):
        first, second = (note for part in read_midi(tmp_path / name).parts for note in part.notes)
        assert first.offset_s == pytest.approx(1.2, abs=0.01)
        assert second.offset_s == pytest.approx(4.5, abs=0.01)
    assert [note.offset_s for note in notes_of(sends)] == [1.2, 4.5]


@given(st.binary(max_size=60))
def test_a_track_without_a_length_ends_before_anything_that_is_not_an_event(tail: bytes) -> None:
    assume(b"MTrk" not in tail)  # another track follows: `device.files.midi.bytes` reads such a file as it is
    head = b"MThd" + (6).to_bytes(4) + b"\0\1\0\1\3\xc0" + b"MTrk" + b"\xff" * 4
    note = b"\x10\x90\x3c\x40\x10\x80\x3c\x00"
    whole = unfinished.complete(head + note + tail)
    track = whole[len(head) :]
    assert track.startswith(note) and track.endswith(unfinished.END_OF_TRACK)
    assert int.from_bytes(whole[len(head) - 4 : len(head)]) == len(track)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("largest", [10_000, wav_writer.LARGEST_RIFF])
def test_sound_is_read_back_sealed_or_not_as_riff_and_as_rf64(
    largest: int, sealed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wav_writer, "LARGEST_RIFF", largest)
    sound = np.linspace(-1, 1, 12_345, dtype=np.float32)
    file = growing(tmp_path / "grown.wav")
    writer = WavWriter(file, RATE)
    for start in range(0, len(sound), 1000):
        writer.append(sound[start : start + 1000])
        file.flush()
    if sealed:
        writer.seal()
    file.flush()
    content = (tmp_path / "grown.wav").read_bytes()
    assert content[:4] == (b"RF64" if largest == 10_000 else b"RIFF")
    read = SoundFile(tmp_path / "grown.wav")
    assert read.rate == RATE and np.array_equal(read.read(), sound)
    assert bool(read.warnings) != sealed, "a file without its length is read, and said to have none"
    if sealed:
        (tmp_path / "cut.wav").write_bytes(content[:-100])
        assert np.array_equal(SoundFile(tmp_path / "cut.wav").read(), sound[:-25])
    file.close()


@pytest.mark.parametrize("sealed", [True, False])
def test_a_recording_beyond_four_gigabytes_is_read_to_its_last_sample(sealed: bool, tmp_path: Path) -> None:
    """The file is sparse: its zeros take no room on the disk."""
    file = growing(tmp_path / "long.wav")
    writer = WavWriter(file, RATE)
    file.flush()
    head = file.size
    samples = 5 * 2**30 // SAMPLE_BYTES
    writer.samples = samples
    os.truncate(tmp_path / "long.wav", head + samples * SAMPLE_BYTES)
    os.lseek(file._descriptor, 0, os.SEEK_END)
    writer.append(np.array([0.25, 0.5], np.float32))
    if sealed:
        writer.seal()
    file.flush()
    assert SoundFile(tmp_path / "long.wav", is_capture=True).frames == samples + 2
    import soundfile

    with soundfile.SoundFile(str(tmp_path / "long.wav")) as read:
        read.seek(samples)
        assert read.read(dtype="float32").tolist() == [0.25, 0.5]
    file.close()


def test_a_row_whose_note_ends_later_keeps_its_length(tmp_path: Path) -> None:
    note = Note(0.5, None, 60, 64, 0.75, 0.576, "right")
    text, place = row(note)
    ended = text[:place] + offset(1.25) + text[place + len(offset(1.25)) :]
    (tmp_path / "notes.csv").write_text(header() + text + ended + text[:20])
    assert read_notes(tmp_path / "notes.csv") == [note, Note(0.5, 1.25, 60, 64, 0.75, 0.576, "right")]
    (tmp_path / "notes.csv").write_text(header() + text + "\0\0\0\0,60\n")
    assert read_notes(tmp_path / "notes.csv") == [note]


def test_others_may_not_read_a_recording(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Recording(tmp_path / "takes" / "001", HOW, None, HOP_S).close()
    finally:
        os.umask(before)
    folder = tmp_path / "takes" / "001"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    files = list(folder.iterdir())
    assert len(files) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}


@pytest.mark.parametrize("name", ["capture.json", "capture.mid", "sent.mid", "notes.csv"])
@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_nothing_that_lies_in_the_folder_is_written_over_or_followed(name: str, kind: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "capture"
    folder.mkdir()
    if kind == "file":
        (folder / name).write_text("older")
    elif kind == "link":
        (folder / name).symlink_to(victim)
    else:
        os.mkfifo(folder / name)
    files = open_files()
    with pytest.raises(UserError, match=f"{name} exists already"):
        Recording(folder, HOW, None, HOP_S)
    assert victim.read_text() == "precious"
    assert open_files() == files


def test_a_folder_of_another_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("capture").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UserError, match="belongs to another account: give --record a folder of your own"):
        Recording(tmp_path / "capture", HOW, None, HOP_S)
    assert not list((tmp_path / "capture").iterdir())


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "capture").symlink_to(tmp_path / "there")
    with pytest.raises(UserError, match="cannot be written"):
        Recording(tmp_path / "capture", HOW, None, HOP_S)
    assert not list((tmp_path / "there").iterdir())


def test_a_folder_that_is_exchanged_while_it_is_open_gets_nothing(tmp_path: Path) -> None:
    folder = CaptureFolder(tmp_path / "capture")
    (tmp_path / "capture").rename(tmp_path / "moved")
    (tmp_path / "capture").mkdir()
    folder.create("notes.csv").close()
    folder.close()
    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["notes.csv"]
    assert not list((tmp_path / "capture").iterdir())


def test_a_short_write_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:3]))
    file = growing(tmp_path / "grown")
    file.append(b"abcdefgh")
    monkeypatch.setattr(os, "write", lambda descriptor, content: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        file.flush()
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:3]))
    file.append(b"ijkl")
    file.flush()
    file.patch(2, b"CD")
    file.append(b"mnop")
    file.patch(11, b"LM")
    file.sync()
    assert (tmp_path / "grown").read_bytes() == b"abCDefghijkLMnop"
    file.close()


def test_the_space_that_is_left_is_asked_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from device.recording import recorder

    monkeypatch.setattr(recorder.shutil, "disk_usage", lambda path: SimpleNamespace(free=recorder.KEPT_FREE))
    kept = Recording(tmp_path / "capture", HOW, RATE, HOP_S)
    kept.sound(np.zeros(100, np.float32))
    kept.close()
    with pytest.raises(UserError, match="holds no sound"):
        SoundFile(tmp_path / "capture" / "capture.wav")
