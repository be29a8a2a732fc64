"""Runs Basic Pitch (by Spotify), another transcriber, so that ours can be compared with it. `make peers` installs it.

Basic Pitch runs in two variants. The variant `stock` has its default options. The variant `tuned` has the option
melodia off and a shortest note of 58 ms.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np

from device.errors import UserError
from device.hearing.features import Samples
from training.note_scores import Notes

RATE = 22_050
"""Sample rate in Hz of the sound with which the network of Basic Pitch was trained."""
WINDOW = 43_844
"""Number of samples that the network reads at once."""
OVERLAP = 30 * 256
"""Samples that two windows share: 30 frames of 256 samples."""
FRAME_RATE = 86
"""Frames a second, as Basic Pitch's own decoder counts them."""
VARIANTS = {"Basic Pitch stock": (True, 11), "Basic Pitch tuned": (False, 5)}
"""Maps the name of a variant to (whether the option melodia is on, shortest note in frames of 11.6 ms)."""


class BasicPitch:
    """Runs Basic Pitch: its published .tflite network, and its own decoder with the options of each of VARIANTS.

    All variants decode the output of one run of the network. Raises UserError if Basic Pitch is not installed.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import basic_pitch
                from ai_edge_litert.interpreter import Interpreter
                from basic_pitch import note_creation
        except ImportError as error:
            raise UserError("Basic Pitch is not installed: run `make peers`.") from error
        self._decode = note_creation.model_output_to_notes
        path = Path(basic_pitch.__file__).parent / "saved_models/icassp_2022/nmp.tflite"
        self._run = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
        self._input = next(iter(self._run.get_input_details()))

    def notes(self, audio: Samples, rate: int) -> tuple[dict[str, Notes], float]:
        """Return the notes of each variant by name, and the CPU seconds that were used.

        Notes are [n, 4]: onset and end in seconds, MIDI pitch, velocity. The CPU time is that of the network plus the
        slower of the two decodings. `audio` is float32 [samples] at `rate` Hz.
        """
        import soxr

        began = time.process_time()
        y = soxr.resample(audio, rate, RATE) if rate != RATE else audio
        length = len(y)
        y = np.concatenate([np.zeros(OVERLAP // 2, np.float32), y])
        parts: dict[str, list[Samples]] = {"contour": [], "note": [], "onset": []}
        for i in range(0, len(y), WINDOW - OVERLAP):
            x = np.pad(y[i : i + WINDOW], (0, max(0, i + WINDOW - len(y)))).astype(np.float32)
            out = self._run(**{self._input: x[None, :, None]})
            parts["contour"].append(next(v for v in out.values() if v.shape[-1] == 264))
            note, onset = (v for _, v in sorted((k, v) for k, v in out.items() if v.shape[-1] == 88))
            parts["note"].append(note)
            parts["onset"].append(onset)
        frames = int(length / RATE * FRAME_RATE) + 1
        output = {k: np.concatenate([np.squeeze(p)[15:-15] for p in v])[:frames] for k, v in parts.items()}
        shared = time.process_time() - began
        found, decoding = {}, 0.0
        for name, (melodia, shortest) in VARIANTS.items():
            began = time.process_time()
            _, events = self._decode(
                output,
                onset_thresh=0.5,
                frame_thresh=0.3,
                min_note_len=shortest,
                melodia_trick=melodia,
                include_pitch_bends=False,
                midi_tempo=120,
            )
            decoding = max(decoding, time.process_time() - began)
            found[name] = np.array([(e[0], e[1], e[2], 127 * e[3]) for e in events], np.float64).reshape(-1, 4)
        return found, shared + decoding
