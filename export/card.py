"""Writes the model card of a bundle, a Markdown text with the content of its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from device.bundles.manifest import Manifest, ModelSpec
from export.sources import NOT_TRAINED_ON

INTRODUCTION = """\
Two small streaming models. The transcriber finds piano notes in sound, in frames of {hop_ms:.0f} ms. Its output is for
the frame {delay_ms:.0f} ms ago. The accompanist receives the right hand on a grid of sixteenths and predicts the left
hand, from notes decided at least {gap} step(s) before. Both models are steps whose states are inputs and outputs. They
are quantised to int8, except for the memories that the tables below list as float32. They run in tflite-runtime 2.14
and ai-edge-litert.

Use them to play along with one pianist's right hand, live or from a file. Do not use them to notate music, for other
instruments, or to judge a player. Results are worse in loud rooms, for very low notes, and for pianos far out of tune.
"""

FIGURES = """\
Measured from this bundle's .tflite files, step by step, when the bundle was made: the rows of hearing by
`python -m training evaluate hearing`, those of playing by `python -m training evaluate playing --panel`. The project's
`docs/figures` explains the measures of hearing, `docs/experiments/playing-seeds.md` those of playing. What the box
reaches today is in `docs/figures.md`: its clock, its left hand and its search for beeps have changed since.
"""

LICENCE = """\
The weights are under the project's MIT licence. They were trained on the material below, which is listed with its
authors and licences. None of it is part of this bundle.

The bank of left-hand figures, `device/left_hand/figures.npz`, holds changed excerpts of the Chopin First Editions
(The Fryderyk Chopin Institute, CC BY 4.0) and of the OpenScore Lieder Corpus (CC0 1.0).
"""


def card(manifest: Manifest) -> str:
    """Return the text of `MODEL_CARD.md` for a manifest.

    The manifest's field `files` is not used: it holds the sums of all files, and the card is one of these files.
    """
    hop_ms = 1000 * manifest.hop / manifest.sample_rate
    introduction = INTRODUCTION.format(
        hop_ms=hop_ms,
        delay_ms=hop_ms * manifest.label_delay_frames,
        gap=manifest.accompanist.get("gap_steps", "?"),
    )
    sections = [
        f"# {manifest.name} {manifest.version}\n\n{introduction}",
        f"## Origin\n\n{_origin(manifest)}",
        f"## Figures\n\n{_metrics(manifest.metrics)}",
        f"## Quantised against float\n\n{_quantised(manifest.training)}",
        "## Models\n\n" + "\n\n".join(_model(name, spec) for name, spec in manifest.models.items()),
        f"## Thresholds\n\n{_json(manifest.gate)}",
        f"## Data\n\n{LICENCE}\n{_data(manifest)}\n\n{NOT_TRAINED_ON}",
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _origin(manifest: Manifest) -> str:
    lines = [
        f"Made {manifest.created} from commit `{manifest.commit}`; needs device version {manifest.min_device_version}."
    ]
    commands = manifest.training.get("commands", [])
    if commands:
        lines += ["", "```sh", *commands, "```"]
    for name in manifest.models:
        if name in manifest.training:
            lines += ["", f"Fit of the {name}:", "", _json(manifest.training[name])]
    return "\n".join(lines)


def _metrics(metrics: dict[str, Any]) -> str:
    if not metrics:
        return "Not measured yet: `python -m export.amend` enters figures measured from the .tflite files."
    rows = [f"| {name} | {value} |" for name, value in _flat(metrics)]
    return "\n".join([FIGURES, "| figure | value |", "|---|---|", *rows])


def _quantised(training: dict[str, Any]) -> str:
    lines = training.get("int8", [])
    return "\n".join(f"- {line}" for line in lines) if lines else "Not recorded."


def _model(name: str, spec: ModelSpec) -> str:
    rows = [
        f"`{spec.file}`, the {name}:",
        "",
        "| tensor | shape | type | scale | zero point |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {t.name} | {' x '.join(map(str, t.shape))} | {t.dtype} | {t.scale:.6g} | {t.zero_point} |"
        for t in spec.tensors
    ]
    return "\n".join(rows)


def _data(manifest: Manifest) -> str:
    rows = ["| what | published as | licence | role |", "|---|---|---|---|"]
    rows += [f"| {d.name} | {d.source} | {d.licence} | {d.role} |" for d in manifest.data]
    return "\n".join(rows)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{path}, ")
        else:
            yield path, f"{value:.4g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False)}\n```"
