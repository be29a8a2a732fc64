"""Measures the older transcribers, the shipped transcriber and two pitch trackers on the same recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from device.assemble import hearing_of
from device.bundles.bundle import Bundle, default_bundle
from training.experiments.older_transcribers.cache import labels_of, load_recordings, test_takes
from training.experiments.older_transcribers.decode import as_asked, decode, fit_decoding, note_line
from training.experiments.older_transcribers.monophonic import Neural, Pyin
from training.hearing_figures.datasets import DATASETS
from training.hearing_figures.frame_scores import FrameCount, average_precision, frame_table, frames_of_bundle
from training.hearing_figures.measure import listen
from training.hearing_figures.takes import Take
from training.note_scores import Notes


def figures_of_fit(
    folder: Path, cache: Path, sets: Sequence[str], thresholds: Sequence[float], allowed: Sequence[int]
) -> str:
    """Measure one fitted net on the test sets `sets`, and return the figures as text.

    The threshold and the time shifts of its notes are fitted on the development recordings, and saved in `folder`.
    Raises UserError if there is no fit in `folder`, or if recordings have not been processed.
    """
    from training.experiments.older_transcribers.fit import Fitted

    fitted = Fitted.load(folder)
    setup, spectrum = fitted.setup, fitted.setup.spectrum
    dev = load_recordings(cache, spectrum, "dev")
    wanted = [as_asked(r.notes, setup.names) for r in dev]
    decoding, f1 = fit_decoding([fitted.posteriors(r.levels) for r in dev], wanted, thresholds, spectrum)
    decoding.save(folder)
    lines = [f"{folder.name}: {fitted.parameters} parameters; notes at {decoding}, onset F1 on dev {100 * f1:.1f}"]
    for which in sets:
        recordings = load_recordings(cache, spectrum, which)
        counts = [FrameCount(t) for t in thresholds]
        found, told_all, began = [], [], time.process_time()
        wanted_all = labels_of(recordings, spectrum, names=setup.names)
        for recording, labels in zip(recordings, wanted_all, strict=True):
            posteriors = fitted.posteriors(recording.levels)
            told_all.append(posteriors)
            for count in counts:
                count.add(posteriors, labels)
            found.append(decode(posteriors, decoding, spectrum))
        labelled = [as_asked(r.notes, setup.names) for r in recordings]
        seconds = [r.seconds for r in recordings]
        line = note_line(found, labelled, seconds)[0]
        lines += [told(which, len(recordings), line, time.process_time() - began, sum(seconds))]
        lines += [f"  average precision of frames {100 * average_precision(told_all, wanted_all):.1f}"]
        lines += [frame_table(counts, allowed)]
    return "\n".join(lines)


def figures_of_given(
    family: str,
    cache: Path,
    data: Path,
    sets: Sequence[str],
    count: int,
    names: bool,
    thresholds: Sequence[float] = (0.5,),
    pairs: Path | None = None,
) -> str:
    """Measure the shipped transcriber or a pitch tracker on the test sets `sets`. Return the figures as text.

    If `names` is true, only the note names count, not the octaves. Otherwise, on a data set, the text also has the
    scores of the shipped transcriber in single frames, at each of `thresholds`. Raises UserError if a tracker's package
    or the recordings of a set are missing.
    """
    ears = ears_of(family)
    lines = [family]
    for which in sets:
        takes, began = test_takes(cache, data, which, count, pairs), time.process_time()
        found = [as_asked(ears(take), names) for take in takes]
        spent = time.process_time() - began
        seconds = [len(take.audio) / take.rate for take in takes]
        line = note_line(found, [as_asked(take.notes, names) for take in takes], seconds)[0]
        lines.append(told(which, len(takes), line, spent, sum(seconds)))
        if family == "shipped" and which in DATASETS and not names:
            lines.append(frames_of_bundle(Bundle.open(default_bundle()), takes, thresholds).told())
    return "\n".join(lines)


def told(which: str, recordings: int, line: str, cpu_s: float, seconds: float) -> str:
    """Return a line of text with the figures `line` of the set `which`, and the CPU seconds per second of sound."""
    return f"{which} ({recordings} recordings, {seconds / 60:.0f} min): {line}; CPU {cpu_s / seconds:.4f} s/s"


def ears_of(family: str) -> Callable[[Take], Notes]:
    """Return a function that gets a take (a recording) and returns the notes that a transcriber or tracker hears in it.

    `family` is "shipped", "pyin" or "neural". Raises UserError if the tracker's package is not installed.
    """
    return _shipped() if family == "shipped" else _tracker(Pyin() if family == "pyin" else Neural())


def _shipped() -> Callable[[Take], Notes]:
    hearing = hearing_of(Bundle.open(default_bundle()))
    return lambda take: listen(hearing, take).notes


def _tracker(tracker: Pyin | Neural) -> Callable[[Take], Notes]:
    return lambda take: tracker.notes(take.audio, take.rate)
