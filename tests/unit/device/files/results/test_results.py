"""The files that a performance writes: the report's schema, the roll's size, the hands in the mix."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.events import Beat, ChordChosen, Note, NoteEnded, NoteHeard, Send
from device.files.performance import Performance
from device.files.results.outputs import Outputs
from device.files.results.piano_roll import draw
from device.files.results.report import BundleName, report, write_report
from device.files.results.writer import ResultWriter
from device.files.sound.file import SoundFile

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text())
BUNDLE = BundleName("default", "1.0.0", "0" * 64)


def performance(seconds: float = 6.0) -> Performance:
    done = Performance("audio", seconds, 0.016, hop_times_s=[0.001, 0.002, 0.003])
    for i in range(int(seconds)):
        note = Note(i + 0.01, None, 60 + i % 12, 64, 0.9, i + 0.08, ("right", "own", "left")[i % 3])
        done.collect([Beat(float(i), i - 0.2, i % 4, 0.5, 4), NoteHeard(note)])
        done.collect([NoteEnded(note.pitch, note.onset_s, i + 0.6, i + 0.7)])
        done.collect([ChordChosen(float(i), ("C", "Am")[i % 2])])
        done.collect([Send(float(i), i - 0.2, "note_on", 48, 70), Send(i + 0.9, i + 0.8, "note_off", 48, 0)])
    return done


@pytest.mark.parametrize("bundle", [BUNDLE, None])
@pytest.mark.parametrize("done", [performance(), Performance("midi", 0.0, 0.016)])
def test_every_report_fits_its_schema(tmp_path: Path, done: Performance, bundle: BundleName | None) -> None:
    write_report(tmp_path / "report.json", done, bundle)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "report.json").read_text()))


def test_the_schema_refuses_a_report_that_lacks_a_part() -> None:
    whole = report(performance(), BUNDLE)
    for part in SCHEMA["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: value for key, value in whole.items() if key != part}, SCHEMA)


def test_the_report_counts_hands_and_names_what_was_sent() -> None:
    told = report(performance(), BUNDLE)
    assert told["hearing"] == {"notes": 6, "right": 2, "own": 2, "left": 2, "open": 0}
    assert told["sent"][1] == {"due_s": 1.0, "sent_s": 0.8, "pitch": 48, "velocity": 70}
    assert told["beats"][1] == {"time_s": 1.0, "predicted_at_s": 0.8, "position": 1, "lock": 0.5}
    assert (told["hops"]["count"], told["hops"]["p50"]) == (3, 2.0)


def test_a_note_decided_after_the_inputs_end_is_left_out() -> None:
    done = Performance("audio", 1.0, 0.016)
    done.collect([NoteHeard(Note(0.9, None, 60, 64, 1.0, 1.0, "right"))])
    done.collect([NoteHeard(Note(0.99, None, 62, 64, 1.0, 1.01, "right")), NoteEnded(62, 0.99, 1.2, 1.3)])
    assert [note.pitch for note in done.notes] == [60]


def test_nothing_sounds_later_than_two_bars_after_the_end() -> None:
    done = performance(6.0)
    done.sends += [Send(5.0, 4.9, "note_on", 50, 70), Send(20.0, 6.0, "note_off", 50, 0)]
    done.sends += [Send(15.0, 14.0, "note_on", 52, 70), Send(16.0, 15.0, "note_off", 52, 0)]
    done.close()
    assert max(send.due_s for send in done.sends) == 6.0 + 2 * 4 * 1.0
    assert 52 not in {send.pitch for send in done.sends}


@pytest.mark.parametrize("seconds", [3.0, 45.0])
def test_the_roll_is_a_png_1600_pixels_wide_with_a_row_for_each_20_seconds(tmp_path: Path, seconds: float) -> None:
    from matplotlib.image import imread

    Outputs(plot=tmp_path / "roll.png").write(ResultWriter(performance(seconds), BUNDLE, "title"))
    height, width = imread(tmp_path / "roll.png").shape[:2]
    assert width == 1600
    assert (height > 800) == (seconds > 20)


def test_the_roll_of_nothing_is_drawn_too(tmp_path: Path) -> None:
    Outputs(plot=tmp_path / "roll.png").write(ResultWriter(Performance("audio", 0.5, 0.016), None, "nothing"))
    assert (tmp_path / "roll.png").stat().st_size > 1_000


def test_the_roll_is_the_same_whatever_the_owner_s_settings_of_matplotlib_are(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 40\nfigure.constrained_layout.use: True\n")
    code = (
        "import sys; from pathlib import Path; from device.files.performance import Performance\n"
        "from device.files.results.piano_roll import write_plot\n"
        "write_plot(Path(sys.argv[1]), Performance('midi', 0.0, 0.016), 'a title')\n"
    )
    for name, settings in (
        ("usual.png", {}),
        ("odd.png", {"MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": "Qt4Agg"}),
    ):
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        subprocess.run(command, env={**os.environ, **settings}, check=True)
    assert (tmp_path / "odd.png").read_bytes() == (tmp_path / "usual.png").read_bytes()


def test_the_mix_is_the_recording_and_a_left_hand_levelled_to_it(tmp_path: Path) -> None:
    rate = 44_100
    recorded = (0.1 * np.sin(2 * np.pi * 440 * np.arange(6 * rate) / rate)).astype(np.float32)
    soundfile.write(tmp_path / "in.wav", recorded, rate, subtype="FLOAT")
    done = performance()
    Outputs(audio=tmp_path / "mix.wav").write(ResultWriter(done, BUNDLE, "", sound=SoundFile(tmp_path / "in.wav")))
    mixed, mixed_rate = soundfile.read(tmp_path / "mix.wav", dtype="float32")
    left = mixed[: len(recorded)].mean(axis=1) - recorded
    assert mixed_rate == rate and len(mixed) > len(recorded)
    assert 0.01 < np.std(left) < 0.1
    assert np.max(np.abs(mixed)) < 1.0


def test_both_hands_are_rendered_where_there_is_no_recording(tmp_path: Path) -> None:
    done = performance()
    Outputs(audio=tmp_path / "mix.wav").write(ResultWriter(done, BUNDLE, ""))
    both, _ = soundfile.read(tmp_path / "mix.wav")
    done.sends = []
    Outputs(audio=tmp_path / "right.wav").write(ResultWriter(done, BUNDLE, ""))
    right, _ = soundfile.read(tmp_path / "right.wav")
    assert np.max(np.abs(right)) > 0.5
    assert len(both) > len(right)


def test_the_names_of_chords_never_overlap_in_the_picture() -> None:
    done = performance()
    done.chords = [ChordChosen(1.0 + 0.15 * i, f"Bbmaj7/{'CDEFGAB'[i % 7]}") for i in range(20)]
    done.chords += [ChordChosen(5.0 + 0.5 * i, ("C", "Am")[i % 2]) for i in range(3)]
    figure = draw(done, "")
    figure.savefig(io.BytesIO(), format="png")
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > 10
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(box.y1 < figure.bbox.height - 70 for box in boxes), "no name lies over the heading"


def test_the_report_holds_the_warning_about_an_output_that_was_not_written(tmp_path: Path) -> None:
    done = performance()
    done.collect([Send(3 * 3600.0, 3 * 3600.0, "note_off", 50, 0)])
    unnamed = Outputs(audio=tmp_path / "mix.wav", report=tmp_path / "report.json", unnamed=True)
    unnamed.write(ResultWriter(done, BUNDLE, ""))
    assert "mix.wav is left out" in json.loads((tmp_path / "report.json").read_text())["warnings"][0]
    outputs = Outputs(plot=tmp_path / "missing" / "roll.png", report=tmp_path / "report.json")
    with pytest.raises(UserError, match="cannot be written"):
        outputs.write(ResultWriter(performance(), BUNDLE, ""))
    assert "roll.png cannot be written" in json.loads((tmp_path / "report.json").read_text())["warnings"][0]


def test_an_output_on_a_full_disk_is_named_with_a_remedy() -> None:
    full = r"^/dev/full cannot be written: No space left on device.*\. Make room on the disk, or name another folder\.$"
    with pytest.raises(UserError, match=full):
        Outputs(notes=Path("/dev/full")).write(ResultWriter(performance(), BUNDLE, ""))


def test_a_machine_without_a_soundfont_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from device.files.results import render
    from device.system import paths

    monkeypatch.setattr(paths, "SOUNDFONT_FOLDERS", (Path("/nowhere"),))
    with pytest.raises(UserError, match="apt-get install timgm6mb-soundfont"):
        render.best_soundfont()


@pytest.mark.parametrize(
    ("title", "shown"), [("\u6f14\u594f.mid: 3 notes", None), ("cost $5_$6.mid", True), ("caf\u00e9.mid", True)]
)
@pytest.mark.filterwarnings("error")
def test_a_title_is_drawn_only_where_a_font_has_its_letters(tmp_path: Path, title: str, shown: bool | None) -> None:
    figure = draw(performance(1.0), title)
    figure.savefig(str(tmp_path / "roll.png"), format="png")
    titles = [text.get_text() for text in figure.texts]
    # a machine with a Chinese font shows the Chinese title too
    assert titles == ([title] if shown else titles and [title])
