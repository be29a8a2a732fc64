"""Runs the transcriber over takes (recordings with known notes), and keeps all data that the report page draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.assemble import hearing_of
from device.bundles.bundle import Bundle
from device.hearing.features import Features
from device.hearing.own_notes import OwnNotes
from device.hearing.resample import Hops
from device.hearing.transcriber import Transcriber
from training.hearing_figures.measure import Heard, listen
from training.hearing_figures.mistakes import Judged, judge
from training.hearing_figures.takes import Take
from training.transcriber.gate_fit import Posteriors


@dataclass(frozen=True)
class Case:
    """A take, the notes heard in it, and the inputs and outputs of the transcriber."""

    take: Take
    heard: Heard
    judged: Judged
    frames: npt.NDArray[np.float32]
    """Levels of the spectrum, [frames, bins, channels]."""
    own: npt.NDArray[np.float32]
    """The notes that the device itself played, as the transcriber's input `own`, float [frames, 88 keys, 2]."""
    posteriors: Posteriors


def case_of(bundle: Bundle, take: Take) -> Case:
    """Stream `take` in small pieces (hops) through the transcriber and the gate of `bundle`, and return the case.

    The case keeps the input and the output of every frame.
    """
    heard = listen(hearing_of(bundle), take)
    spec = bundle.features
    features, transcriber, own = Features(spec), Transcriber(bundle.transcriber()), OwnNotes()
    hops = Hops(take.rate, spec.sample_rate, spec.hop)
    frames, told, posteriors = [], [], []
    waiting = sorted(take.sent, key=lambda note: note[1])
    for hop, now_s in [*hops.push(take.audio), *hops.flush()]:
        while waiting and waiting[0][1] <= now_s:
            own.note_on(*waiting.pop(0))
        frames.append(features.step(hop))
        told.append(own.frame(len(frames) * spec.hop_s))
        posteriors.append(transcriber.step(frames[-1], told[-1]))
    return Case(
        take, heard, judge(heard.notes, take.notes), np.stack(frames), np.concatenate(told), np.stack(posteriors)
    )
