"""Losses of sound: a capture keeps each, and `play` tells the hearing of it where the live run did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.assemble import hearing_of
from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.engine import Engine
from device.errors import UserError
from device.events import Note
from device.files.play import play_sound
from device.files.results.notes_csv import read_notes, write_notes
from device.files.sound.file import SoundFile
from device.hearing.resample import Hops
from device.inputs.source import Loss
from device.live.opening import Opener
from device.live.session import Session
from device.recording import losses_csv
from device.recording.capture import HOW, LOSSES, Capture, losses_told
from device.recording.recorder import Recording
from tests.kills import HOW as SETTINGS
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.seams import BLOCK, RATE, Ports, Stage, seams
from tests.unit.helpers.shipped import bundle, demo, hear, notes

SECONDS = 12.0
OVERFLOW = 2


class CountingEngine(Engine):
    """Hears with the shipped models, and counts hops."""

    def __init__(self) -> None:
        super().__init__(clock=FixedClock(100.0, Meter(4, 4)), hearing=hearing_of(bundle()))
        self.hops = 0

    def step(self, hop, now_s, midi=()):  # type: ignore[no-untyped-def]
        events = super().step(hop, now_s, midi)
        self.hops += 1
        return events


def played(folder: Path, lost: list[int]) -> list[Note]:
    """Return what `lefthand play` hears in the capture in `folder`, with the losses `lost`."""
    sound = SoundFile(folder / "capture.wav", is_capture=True)
    performance = play_sound(CountingEngine(), sound, Hops(sound.rate, RATE, BLOCK), lost=lost)
    write_notes(folder.parent / "again.csv", performance.notes)
    return read_notes(folder.parent / "again.csv")


def recorded(folder: Path, sound: np.ndarray, lost_before: set[int]) -> None:
    """Run a session on `sound` and record it. PortAudio reports a loss with each block whose number is given."""
    stage, engine = Stage(1), CountingEngine()
    with seams(stage):
        opener = Opener(stage.outputs, Ports(), stage.monitor, lambda: None)  # type: ignore[arg-type]
        opened = Session(opener.open(stage.config, engine, BLOCK / RATE, Capture(folder)))
        opened.start()
        blocks = sound.reshape(-1, BLOCK)
        for number, block in enumerate(blocks):
            stage.card.deliver(block, OVERFLOW if number in lost_before else 0)
            if number % 50 == 49 or number == len(blocks) - 1:
                patiently(lambda number=number: engine.hops > number, "the blocks are heard")  # type: ignore[misc]
        opened.check()
        opened.close()


def test_a_replay_hears_the_notes_of_a_live_run_that_lost_sound(tmp_path: Path) -> None:
    sound = demo(SECONDS)
    struck = notes(hear(hearing_of(bundle()), sound))
    # a loss just before each second stroke, where the wave does not jump: only the report holds strokes back
    before = {int(note.onset_s * RATE / BLOCK) + 1 for note in struck[::2]}
    recorded(tmp_path / "take", sound, before)
    live = read_notes(tmp_path / "take" / "notes.csv")
    lost = losses_told(tmp_path / "take" / "capture.wav")
    assert lost == [number * BLOCK for number in sorted(before)]
    assert len(live) > 5
    assert played(tmp_path / "take", lost) == live
    # what older captures give, which keep no losses
    assert played(tmp_path / "take", []) != live


def test_a_capture_keeps_the_place_and_the_length_of_each_loss(tmp_path: Path) -> None:
    kept = Recording(tmp_path / "take", SETTINGS, RATE, BLOCK / RATE)
    kept.sound(np.zeros(3 * BLOCK, np.float32))
    losses = [Loss(BLOCK, 640), Loss(2 * BLOCK, None), Loss(3 * BLOCK, 160, found_late=True)]
    kept.lost(losses)
    kept.close()
    content = (tmp_path / "take" / LOSSES).read_bytes()
    assert content.decode() == "sample,missing,found_late\n256,640,0\n512,,0\n768,160,1\n"
    assert losses_csv.losses_of(content) == losses
    # nobody told the hearing of the last one
    assert losses_told(tmp_path / "take" / "capture.wav") == [BLOCK, 2 * BLOCK]


@pytest.mark.parametrize("cut", [0, 5, 30, 33, 38])
def test_a_file_of_losses_that_is_cut_off_gives_those_before_the_cut(cut: int) -> None:
    losses = [Loss(256, 640), Loss(512, None), Loss(768, 160, found_late=True)]
    content = (losses_csv.header() + "".join(map(losses_csv.row, losses))).encode()
    left = content[:cut].count(b"\n") - 1
    assert losses_csv.losses_of(content[:cut]) == losses[: max(left, 0)]
    assert losses_csv.losses_of(content[:cut] + bytes(40)) == losses[: max(left, 0)]


@pytest.mark.parametrize(
    "content",
    [b"sample\n1\n", b"sample,missing,found_late\n1,2\n", b"sample,missing,found_late\n-1,,0\n",
     b"sample,missing,found_late\n1,2,2\n", b"sample,missing,found_late\n" + b"9" * 5000 + b",,0\n", b"\xff\xfe\n"],
)  # fmt: skip
def test_a_damaged_file_of_losses_is_told_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / HOW).write_text("{}")
    (tmp_path / LOSSES).write_bytes(content)
    with pytest.raises(
        UserError, match=r"losses\.csv cannot be read .*: move it away to play without the losses"
    ) as told:
        losses_told(tmp_path / "capture.wav")
    assert str(told.value).isprintable()


def test_an_older_capture_and_a_file_that_is_no_capture_have_no_losses(tmp_path: Path) -> None:
    (tmp_path / LOSSES).write_text(losses_csv.header() + losses_csv.row(Loss(256, None)))
    assert losses_told(tmp_path / "capture.wav") == []
    (tmp_path / HOW).write_text("{}")
    assert losses_told(tmp_path / "other.wav") == []
    assert losses_told(tmp_path / "capture.wav") == [256]
    (tmp_path / LOSSES).unlink()
    assert losses_told(tmp_path / "capture.wav") == []
