"""Measures the older transcribers, the shipped transcriber and two pitch trackers on the same recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from device.assemble import hearing_of
from device.bundles.bundle import Bundle, default_bundle
from training.experiments.older_transcribers.cache import labels_of, load_recordings, test_takes
from training.experiments.older_transcribers.decode import (
    FrameCount,
    as_asked,
    decode,
    fit_decoding,
    frame_table,
    note_line,
)
from training.experiments.older_transcribers.monophonic import Neural, Pyin
from training.hearing_figures.measure import listen
from training.hearing_figures.takes import Take
from training.note_scores import Notes


def figures_of_fit(
    folder: Path, cache: Path, sets: Sequence[str], thresholds: Sequence[float], allowed: Sequence[int]
) -> str:
    """Measure one fitted model on the test sets. Threshold and time shifts come from the development recordings."""
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
        found, began = [], time.process_time()
        for recording, labels in zip(recordings, labels_of(recordings, spectrum, setup.names), strict=True):
            posteriors = fitted.posteriors(recording.levels)
            for count in counts:
                count.add(posteriors, labels)
            found.append(decode(posteriors, decoding, spectrum))
        labelled = [as_asked(r.notes, setup.names) for r in recordings]
        seconds = [r.seconds for r in recordings]
        line = note_line(found, labelled, seconds)[0]
        lines += [told(which, len(recordings), line, time.process_time() - began, sum(seconds))]
        lines += [frame_table(counts, allowed)]
    return "\n".join(lines)


def figures_of_given(family: str, cache: Path, data: Path, sets: Sequence[str], count: int, names: bool) -> str:
    """Measure the shipped transcriber or a pitch tracker on the test sets. Returns the figures as text."""
    ears = _shipped() if family == "shipped" else _tracker(Pyin() if family == "pyin" else Neural())
    lines = [family]
    for which in sets:
        takes, began = test_takes(cache, data, which, count), time.process_time()
        found = [as_asked(ears(take), names) for take in takes]
        spent = time.process_time() - began
        seconds = [len(take.audio) / take.rate for take in takes]
        line = note_line(found, [as_asked(take.notes, names) for take in takes], seconds)[0]
        lines.append(told(which, len(takes), line, spent, sum(seconds)))
    return "\n".join(lines)


def told(which: str, recordings: int, line: str, cpu_s: float, seconds: float) -> str:
    """Return a line of text with the figures of the set `which`."""
    return f"{which} ({recordings} recordings, {seconds / 60:.0f} min): {line}; CPU {cpu_s / seconds:.4f} s/s"


def _shipped() -> Callable[[Take], Notes]:
    hearing = hearing_of(Bundle.open(default_bundle()))
    return lambda take: listen(hearing, take).notes


def _tracker(tracker: Pyin | Neural) -> Callable[[Take], Notes]:
    return lambda take: tracker.notes(take.audio, take.rate)
