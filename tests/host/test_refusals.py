"""A missing device or file gives one sentence and a non-zero exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import Ensemble, Instrument, Process


@pytest.fixture(scope="module")
def two_synths(jack: dict[str, str]) -> Iterator[None]:
    with Ensemble(jack) as ensemble:
        for name in ("synth one", "synth two"):
            ensemble.instrument(name)
        yield


@pytest.mark.usefixtures("two_synths")
@pytest.mark.parametrize(
    ("sound", "midi", "said"),
    [
        ("system", "piano", ['There is no MIDI output "piano"', "synth one in", "synth two in"]),
        ("system", "synth", ['"synth" could be more than one MIDI output', "synth one in", "synth two in"]),
        ("microphone", "synth one", ['There is no audio input "microphone"', '"system [JACK]"']),
        ('system"\nrate = 44100\n#"', "synth one", ["does not run at 44100 Hz", "set [audio] rate to 48000"]),
        ('system"\nchannel = 3\n#"', "synth one", ["has 2 channels"]),
        ('system"\nchannel = 0\n#"', "synth one", ["[audio] channel = 0", "from 1 to 64"]),
    ],
    ids=["missing output", "ambiguous output", "missing input", "wrong rate", "too few channels", "out of range"],
)
def test_a_run_that_cannot_begin_says_why(
    sound: str, midi: str, said: list[str], box: Callable[..., Process], tmp_path: Path
) -> None:
    settings = tmp_path / "lefthand.toml"
    settings.write_text(f'[audio]\ninput = "{sound}"\n[midi]\noutput = "{midi}"\n')
    run = box("run", "--config", str(settings), "--record", str(tmp_path / "capture"))
    assert run.ended() == (78 if "out of range" in said[-1] or "from 1 to 64" in said[-1] else 2)
    sentence = run.text.splitlines()[-1]
    assert all(words in sentence for words in said), run.text
    assert "Traceback" not in run.text
    assert not (tmp_path / "capture").exists()


@pytest.mark.usefixtures("two_synths")
def test_devices_lists_inputs_with_their_rates_and_midi_ports(box: Callable[..., Process]) -> None:
    listing = box("devices", stream="stdout")
    assert listing.ended() == 0
    sound, outputs, inputs = (part.splitlines() for part in listing.text.split("MIDI "))
    assert any("system [JACK]" in line and "48000 Hz" in line for line in sound)
    assert any("synth one in" in line for line in outputs)
    assert any("synth two out" in line for line in inputs)


def test_a_port_that_goes_away_ends_the_run_with_a_sentence(
    instrument: Callable[..., Instrument], box: Callable[..., Process], tmp_path: Path
) -> None:
    synth = instrument("fleeting")
    settings = tmp_path / "lefthand.toml"
    settings.write_text('[audio]\ninput = "system"\n[midi]\noutput = "fleeting in"\n')
    run = box("run", "--config", str(settings))
    run.wait_for("listening")
    synth.close()
    assert run.ended() == 2
    assert '"fleeting in:in [JACK]" is gone' in run.text.splitlines()[-1]
