"""Well-formed MIDI files with odd contents: every message that the box needs is read as mido reads it."""

from __future__ import annotations

import io
from random import Random

import mido
import pytest

from device.files.midi.bytes import parse
from device.files.midi.raw import Struck

SIZES = [0, 1, 3, 126, 127, 128, 129, 500]
"""Bytes of texts and of system-exclusive messages. From 128 on, the length itself takes two bytes."""
TIMES = [0, 0, 1, 10, 127, 128, 480, 20_000]
"""Ticks between two messages."""
FILES = 40
"""Number of files of one test."""


def message(random: Random) -> mido.Message | mido.MetaMessage:
    """Return a message of any kind, after a short or a long time."""
    time, channel, size = (
        random.choice([0, 0, 1, 10, 127, 128, 480, 20_000]),
        random.randrange(16),
        random.choice(SIZES),
    )
    match random.randrange(11):
        case 0 | 1 | 2:
            note, velocity = random.randrange(128), random.randrange(128)
            return mido.Message("note_on", note=note, velocity=velocity, channel=channel, time=time)
        case 3:
            return mido.Message("note_off", note=random.randrange(128), channel=channel, time=time)
        case 4:
            return mido.Message("sysex", data=[random.randrange(128) for _ in range(size)], time=time)
        case 5:
            text = "".join(chr(random.randrange(32, 255)) for _ in range(size))
            return mido.MetaMessage(random.choice(["text", "lyrics", "marker", "copyright"]), text=text, time=time)
        case 6:
            data = [random.randrange(256) for _ in range(size)]
            return mido.MetaMessage("sequencer_specific", data=data, time=time)
        case 7:
            return mido.MetaMessage("set_tempo", tempo=random.randrange(100_000, 2_000_000), time=time)
        case 8:
            beats, kind = random.randrange(1, 17), random.choice([2, 4, 8, 16])
            return mido.MetaMessage("time_signature", numerator=beats, denominator=kind, time=time)
        case 9:
            return mido.Message("pitchwheel", pitch=random.randrange(-8192, 8192), channel=channel, time=time)
    return mido.Message("program_change", program=random.randrange(128), channel=channel, time=time)


@pytest.mark.parametrize("seed", range(5))
def test_what_mido_reads_is_read(seed: int) -> None:
    random = Random(seed)
    for _ in range(FILES):
        tracks = random.choice([1, 2, 5])
        file = mido.MidiFile(type=min(tracks - 1, 1), ticks_per_beat=random.choice([24, 96, 480, 960]))
        strikes, tempos, signatures = [], [], []
        for _ in range(tracks):
            track = mido.MidiTrack(message(random) for _ in range(random.randint(5, 60)))
            file.tracks.append(track)
            tick, struck = 0, []
            for told in track:
                tick += told.time
                if told.type in ("note_on", "note_off"):
                    struck.append((tick, told.channel, told.note, told.velocity if told.type == "note_on" else 0))
                elif told.type == "set_tempo":
                    tempos.append((tick, told.tempo))
                elif told.type == "time_signature":
                    signatures.append((tick, told.numerator, told.denominator))
            strikes.append(struck)
        content = io.BytesIO()
        file.save(file=content)
        midi = parse(content.getvalue())
        read = [
            [(m.tick, m.channel, m.pitch, m.velocity) for m in track.messages if isinstance(m, Struck)]
            for track in midi.tracks
        ]
        assert (read, midi.tempos, midi.signatures, list(midi.flaws)) == (strikes, tempos, signatures, [])
