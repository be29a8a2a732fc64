"""Outputs of `lefthand play`: an old file stays whole until the new one is complete, and no input is overwritten."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.results.outputs import Outputs
from device.files.results.replacing import replacing
from device.files.results.writer import ResultWriter
from device.files.sound.file import SoundFile
from tests.unit.device.files.results.test_results import BUNDLE, performance

OLD = b"the old file"
EVERY = {"midi": "left.mid", "notes": "notes.csv", "audio": "mix.wav", "plot": "roll.png", "report": "report.json"}


def every(folder: Path) -> Outputs:
    return Outputs(**{name: folder / file for name, file in EVERY.items()})


def run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_output_replaces_an_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    for name in EVERY.values():
        (tmp_path / name).write_bytes(OLD)
    every(tmp_path).write(ResultWriter(performance(), BUNDLE, ""))
    assert {path.name for path in tmp_path.iterdir()} == set(EVERY.values())
    assert all((tmp_path / name).read_bytes() != OLD for name in EVERY.values())


def test_a_killed_process_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(OLD)
    killed = run(
        """
        import os, signal, sys
        from pathlib import Path
        from device.files.results.replacing import replacing
        with replacing(Path(sys.argv[1])) as beside:
            beside.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == OLD
    with replacing(path) as beside:
        beside.write_bytes(b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["midi", "notes", "audio", "plot", "report"])
def test_a_full_disk_leaves_the_old_file_whole_and_names_the_output(tmp_path: Path, name: str) -> None:
    path = tmp_path / EVERY[name]
    path.write_bytes(OLD)
    full = run(
        """
        import resource, signal, sys
        from pathlib import Path
        from device.errors import UserError
        from device.files.results.writer import ResultWriter
        from device.files.results.outputs import Outputs
        from tests.unit.device.files.results.test_results import BUNDLE, performance
        outputs = Outputs(**{sys.argv[1]: Path(sys.argv[2])})
        outputs.check([], renders=True)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
        try:
            outputs.write(ResultWriter(performance(), BUNDLE, ""))
        except UserError as error:
            print(error)
        """,
        name,
        path,
    )
    assert f"{path} cannot be written: " in full.stdout and "the old file is unchanged" in full.stdout, full.stderr
    assert path.read_bytes() == OLD and list(tmp_path.iterdir()) == [path]


def test_an_error_or_an_interruption_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(OLD)
    for error in (UserError("no"), KeyboardInterrupt()):
        with pytest.raises(type(error)), replacing(path) as beside:
            beside.write_bytes(b"half")
            raise error
        assert path.read_bytes() == OLD and list(tmp_path.iterdir()) == [path]


def test_the_permissions_of_an_old_file_are_kept_and_a_link_is_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "out.mid", tmp_path / "link.mid"
    path.write_bytes(OLD)
    path.chmod(0o640)
    link.symlink_to(path)
    with replacing(link) as beside:
        beside.write_bytes(b"new")
    assert link.is_symlink() and path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with replacing(tmp_path / "new") as beside:
        beside.write_bytes(b"new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".mid")
    with replacing(path) as beside:
        beside.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_a_device_is_written_and_not_replaced() -> None:
    with replacing(Path(os.devnull)) as path:
        path.write_bytes(b"new")
    assert Path(os.devnull).is_char_device()


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    one, hard, soft = tmp_path / "a.mid", tmp_path / "hard.csv", tmp_path / "soft.csv"
    for notes in (one, tmp_path / "." / "a.mid", tmp_path / ".." / tmp_path.name / "a.mid"):
        with pytest.raises(UserError, match="two outputs"):
            Outputs(midi=one, notes=notes).check([], renders=False)
    one.write_bytes(OLD)
    os.link(one, hard)
    soft.symlink_to(one)
    for notes in (hard, soft):
        with pytest.raises(UserError, match="two outputs"):
            Outputs(midi=one, notes=notes).check([], renders=False)
    Outputs(midi=one, notes=tmp_path / "b.csv").check([], renders=False)
    Outputs(midi=Path(os.devnull), notes=Path(os.devnull)).check([], renders=False)


def test_an_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    source, hard, soft, way = (tmp_path / name for name in ("in.wav", "hard.wav", "soft.wav", "way.wav"))
    source.write_bytes(OLD)
    os.link(source, hard)
    soft.symlink_to(source)
    way.symlink_to(soft)
    for path in (source, hard, soft, way, tmp_path / ".." / tmp_path.name / "in.wav"):
        with pytest.raises(UserError, match="is the input itself"):
            Outputs(audio=path).check([source], renders=False)
        with pytest.raises(UserError, match="is the input itself"):
            Outputs(audio=source).check([tmp_path / "other.wav", path], renders=False)
    assert source.read_bytes() == OLD


def test_the_unnamed_outputs_lie_beside_the_input_and_never_over_a_file(tmp_path: Path) -> None:
    source = tmp_path / "my.wav"
    outputs = Outputs.beside(source, force=False)
    assert [path.name for path in outputs.paths] == ["my.left-hand.mid", "my.both-hands.wav", "my.roll.png"]
    (tmp_path / "my.roll.png").touch()
    with pytest.raises(UserError, match=r"my\.roll\.png exists already: give --force"):
        Outputs.beside(source, force=False)
    assert Outputs.beside(source, force=True) == outputs


@pytest.mark.parametrize("name", ["x" * 250 + ".mid", "é" * 123 + ".wav", "音" * 83 + ".mid"])
def test_the_outputs_beside_an_input_of_a_long_name_have_names_that_fit(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(OLD)
    outputs = Outputs.beside(tmp_path / name, force=False)
    outputs.check([tmp_path / name], renders=False)
    for path in outputs.paths:
        path.write_bytes(OLD)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_named_output_whose_name_is_too_long_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its name is too long, so give a shorter one"):
        Outputs(midi=tmp_path / f"{'x' * 260}.mid").check([], renders=False)


def test_one_output_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    outputs = every(tmp_path)
    (tmp_path / "mix.wav").mkdir()
    with pytest.raises(UserError, match=r"mix\.wav cannot be written"):
        outputs.write(ResultWriter(performance(), BUNDLE, ""))
    assert all((tmp_path / name).is_file() for kind, name in EVERY.items() if kind != "audio")


def test_a_sound_that_is_removed_before_the_mix_is_told_by_its_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "right.wav", np.zeros(16_000, np.float32), 16_000)
    sound = SoundFile(tmp_path / "right.wav")
    (tmp_path / "right.wav").unlink()
    outputs = Outputs(audio=tmp_path / "mix.wav", notes=tmp_path / "notes.csv")
    with pytest.raises(UserError, match=r"right\.wav was removed while it was read") as told:
        outputs.write(ResultWriter(performance(), BUNDLE, "", sound=sound))
    assert "mix.wav" not in str(told.value) and (tmp_path / "notes.csv").exists()


def test_a_mix_of_hours_that_nobody_named_is_left_out_and_said(tmp_path: Path) -> None:
    long = replace(performance(), input_s=3 * 3600.0)
    Outputs.beside(tmp_path / "my.mid", force=False).write(ResultWriter(long, BUNDLE, ""))
    assert {path.name for path in tmp_path.iterdir()} == {"my.left-hand.mid", "my.roll.png"}
    assert long.left_out == [tmp_path / "my.both-hands.wav"]
    assert "both-hands.wav is left out, because it would last 3.0 hours: --audio" in long.warnings[-1]


@pytest.mark.parametrize(("package", "left"), [("matplotlib", "roll.png"), ("tinysoundfont", "both-hands.wav")])
def test_an_output_whose_package_is_missing_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, left: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    outputs, sentences = Outputs.beside(tmp_path / "my.wav", force=False).possible(renders=True)
    assert len(outputs.paths) == 2 and not any(left in path.name for path in outputs.paths)
    assert len(sentences) == 1 and left in sentences[0] and package in sentences[0]


@pytest.mark.parametrize(
    ("kind", "name", "ending"),
    [("audio", "x.mp3", ".wav"), ("audio", "x.MID", ".wav"), ("plot", "x.pdf", ".png"), ("midi", "x.wav", ".mid")],
)
def test_a_name_that_promises_another_format_is_refused(tmp_path: Path, kind: str, name: str, ending: str) -> None:
    with pytest.raises(UserError, match=rf"{name} cannot be written: --{kind} writes a \{ending} file"):
        Outputs(**{kind: tmp_path / name}).check([tmp_path / "in.wav"], renders=False)
    Outputs(**{kind: tmp_path / f"x{ending.upper()}"}).check([tmp_path / "in.wav"], renders=False)
    Outputs(**{kind: tmp_path / "x"}).check([tmp_path / "in.wav"], renders=False)


def test_a_dash_and_a_pipe_are_no_outputs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mid")
    # a Path of ./- is the same as one of -, so the message cannot offer it
    for dash in ("-", "./-"):
        with pytest.raises(UserError, match=r"- names no output: name a file such as OUT\.mid\.$"):
            Outputs(midi=Path(dash)).check([], renders=False)
    with pytest.raises(UserError, match=r"pipe\.mid is a pipe: name a file"):
        Outputs(midi=tmp_path / "pipe.mid").check([], renders=False)


def test_a_folder_and_a_link_into_a_folder_that_is_not_there_are_no_outputs(tmp_path: Path) -> None:
    (tmp_path / "link.mid").symlink_to(tmp_path / "removed" / "a.mid")
    with pytest.raises(UserError, match="is a folder: name a file in it"):
        Outputs(midi=tmp_path).check([], renders=False)
    for path in (tmp_path / "link.mid", tmp_path / "removed" / "a.mid"):
        with pytest.raises(UserError, match="cannot be written: name a file in a folder that exists"):
            Outputs(midi=path).check([], renders=False)
