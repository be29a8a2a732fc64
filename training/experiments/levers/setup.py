"""Defines the levers. A lever is one change that was tried in the training of the transcriber.

The lever `shipped` changes nothing. Each other lever differs from it only in the fields that its definition names.

`python -m training levers` fits and measures the levers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from training.scenes.augment import CHANGES
from training.scenes.cache import SOURCES
from training.scenes.scene import DETUNE

TIMBRE = "timbre"
ONE_PIANO = "splendid"
"""The only sound bank that the lever `timbre` uses."""


@dataclass(frozen=True)
class Lever:
    """Describes one change of the transcriber, and the effect that was expected before the measurement.

    `net`, `features` and `loss` change fields of `NetConfig`, `FeatureSpec` and `LossWeights`. `without` names one
    change of the sound that all training scenes leave out: a name in `scenes.augment.CHANGES`, `DETUNE`, or `TIMBRE`,
    which renders all scenes with one piano. `own` says whether the net also reads the notes that the box itself sent.
    `sources` lists the sources of the training scenes. `amount` multiplies the number of scenes per source of
    `shipped`.
    """

    name: str
    about: str
    expected: str
    net: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, float] = field(default_factory=dict)
    without: str = ""
    own: bool = True
    sources: tuple[str, ...] = SOURCES
    amount: float = 1.0
    seed: int = 1

    @property
    def looks(self) -> str:
        """Return the name of the folder of scenes that the lever shares with others.

        It is the lever's own name if the lever changes the features, else `shipped`.
        """
        return self.name if self.features else SHIPPED

    @property
    def own_scenes(self) -> bool:
        """Return whether the lever changes the training scenes, so that scenes are rendered for this lever alone.

        If not, the lever is fitted on the scenes in the folder `looks`, which several levers share.
        """
        return bool(self.without) or self.amount != 1 or self.sources != SOURCES

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data, for the JSON file in the folder of the fit."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {
            name: dict(getattr(self, name)) for name in ("net", "features", "loss")
        }


SHIPPED = "shipped"
LATER = (5, 3, 1, 0, 0, 0, 0, 0)
"""Additional look-ahead of the shipped net in frames, one number per octave from A0. Low notes need more time."""
LATER_NET: Mapping[str, Any] = {"later": LATER}


def _with(**net: Any) -> Mapping[str, Any]:
    return {**LATER_NET, **net}


_LEVERS = (
    Lever(SHIPPED, "the shipped net, from nothing; what the others differ from", "", LATER_NET),
    Lever("seed", "the same with another seed: what chance alone makes of it", "as good", LATER_NET, seed=2),
    Lever("ahead-32", "look-ahead 32 ms in place of 48", "6 points less", _with(delay_frames=2)),
    Lever("ahead-64", "look-ahead 64 ms", "a point more, 16 ms later", _with(delay_frames=4)),
    Lever("no-later", "low notes wait no longer than others", "fewer low notes"),
    Lever(
        "hop-10",
        "hop 10 ms in place of 16, look-ahead 50 ms",
        "better within 30 ms, 1.6 times the cost",
        {"delay_frames": 5, "later": (8, 5, 2, 0, 0, 0, 0, 0)},
        {"hop": 160},
    ),
    Lever(
        "one-window",
        "one window (128 ms) in place of three",
        "fewer low notes, less exact",
        LATER_NET,
        {"window_lengths": (2048,), "window_falls": (512,)},
    ),
    Lever(
        "two-windows",
        "two windows (128 and 48 ms)",
        "fewer low notes",
        LATER_NET,
        {"window_lengths": (2048, 768), "window_falls": (512, 256)},
    ),
    Lever("no-harmonics", "no harmonic stacking: a key sees itself alone", "15 points less", _with(harmonics=(0,))),
    Lever("no-neighbours", "no mix of keys whose partials coincide", "3 points less", _with(neighbours=())),
    Lever("memory-4", "a recurrence of 4 units a key in place of 40", "much less by frames", _with(memory=4)),
    Lever("narrow", "a trunk of 16 channels in place of 24", "2 points less", _with(width=16)),
    Lever("wide", "a trunk of 32 channels", "1 point more", _with(width=32)),
    Lever("one-block", "one residual convolution in place of two", "1 point less", _with(blocks=1)),
    Lever(
        "two-heads",
        "heads of onset and frame alone",
        "onsets as good or better",
        LATER_NET,
        loss={"offset": 0, "velocity": 0},
    ),
    Lever(
        "frames-count", "frames count as much as onsets", "better frames, worse onsets", LATER_NET, loss={"frame": 100}
    ),
    Lever("not-told", "the net is not told what we sent", "as good alone, worse under bleed", LATER_NET, own=False),
    Lever(TIMBRE, "one sampled piano in place of 50 banks", "worst on other pianos", LATER_NET, without=TIMBRE),
    Lever(DETUNE, "every piano in tune", "a little less on a real piano", LATER_NET, without=DETUNE),
    *(
        Lever(name, about, expected, LATER_NET, without=name)
        for name, about, expected in zip(
            CHANGES,
            (
                "no rooms",
                "nobody talks",
                "no noise",
                "no microphones",
                "no clipping",
                "no automatic gain",
                "all as loud as they were rendered",
            ),
            (
                "worse in rooms",
                "worse where somebody talks",
                "worse in noise",
                "less on a real piano",
                "as good",
                "worse through a telephone",
                "worse at other levels",
            ),
            strict=True,
        )
    ),
    Lever(
        "pop-alone",
        "POP909 and invented notes alone",
        "less on a real piano",
        LATER_NET,
        sources=("pop909", "invented"),
    ),
    Lever("third", "a third of the scenes", "a point less", LATER_NET, amount=1 / 3),
    Lever("thrice", "three times as many scenes", "as good at so few steps", LATER_NET, amount=3.0),
)
LEVERS = {lever.name: lever for lever in _LEVERS}
