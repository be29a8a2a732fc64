"""Defines the configurations of the seeds, early nets that accompany a melody (`training.experiments.seeds`).

A configuration sets the net's input, its output, its body and its fit. It differs from the configuration
`pitch-classes` only in the fields that it names. `python -m training seeds` fits the configurations and plays with
them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from device.errors import UserError

TAPS = (3, 7, 15, 31, 47, 63, 95, 127)
"""Distances in steps from the newest known step back to the earlier steps that the net reads.

The net predicts the next step. The earlier steps lie 1, 2 or 4 beats, or 2, 3, 4, 6 or 8 bars of 4/4, before that.
"""
KINDS = ("keys", "classes", "octave", "voices", "notes")
HANDS = ("right", "both-in", "both-out", "both", "both-scheduled")
BODIES = ("gru", "lstm", "conv", "taps", "history")
LOSSES = ("bce", "distance", "bce-distance", "consonance", "reward")
PICKS = ("threshold", "softmax", "likeliest", "draw")


@dataclass(frozen=True)
class Seed:
    """One configuration of a net. Lengths and distances are in steps of a sixteenth note.

    `kind` is the format of input and output: 88 keys, 12 pitch classes, 12 pitch classes with an octave (a decoder of
    88 keys masked by the 12), 4 parallel voices, or the notes of a chord one after another.

    `hands` names the hands that the net reads and predicts. `right`: reads the right hand, predicts the left.
    `both-in`: reads both, predicts the left. `both-out`: reads the right, predicts both. `both`: reads and predicts
    both; in playing, the played right hand replaces the predicted one. `both-scheduled`: like `both`, but the
    fit mixes the true left hand with the net's own prediction in the input.

    `stretch` is the length of a training example, and `every` the distance between the starts of two examples. `ahead`
    gives the distances of the targets after the newest known step. `hold` is the number of steps between two decisions.
    `pauses` says whether the fit includes rests. `warm` is a number of steps after the true hand's first strike: up to
    then the net reads the true left hand in place of its own, and plays nothing.

    `like` names the configuration whose weights the fit starts from. If `steps` is 0, the weights stay the same, and
    the other fields change only how they are played.

    `layers` is the number of recurrent layers. A convolution repeats its five layers as often, and the bodies over
    fixed lags have as many dense layers. `silent` marks a configuration that never plays: its answer to silence is
    silence.
    """

    name: str
    about: str
    kind: str = "classes"
    hands: str = "right"
    body: str = "gru"
    units: int = 64
    stretch: int = 128
    every: int = 64
    ahead: tuple[int, ...] = (1,)
    position: bool = True
    transpose: bool = True
    loss: str = "bce"
    pauses: bool = True
    pick: str = "threshold"
    hold: int = 1
    warm: int = 0
    like: str = ""
    steps: int = 400
    rate: float = 3e-3
    layers: int = 1
    silent: bool = False

    def __post_init__(self) -> None:
        for field, known in (("kind", KINDS), ("hands", HANDS), ("body", BODIES), ("loss", LOSSES), ("pick", PICKS)):
            if getattr(self, field) not in known:
                raise UserError(f"{self.name}: {field} {getattr(self, field)!r} is none of {', '.join(known)}.")
        if self.hands != "right" and (self.kind not in ("keys", "classes") or self.ahead != (1,)):
            raise UserError(
                f"{self.name}: octaves, voices, notes and targets further ahead go with the right hand alone."
            )
        if self.warm and not self.fed:
            raise UserError(f"{self.name}: only a net that reads its own left hand is warmed up.")
        if self.kind != "classes" and (self.loss != "bce" or self.ahead != (1,)):
            raise UserError(f"{self.name}: such losses and targets further ahead go with pitch classes alone.")
        if min(self.units, self.layers) < 1 or self.steps < 0 or self.rate <= 0:
            raise UserError(f"{self.name}: units, layers and rate must be above 0, and steps at least 0.")

    @property
    def fed(self) -> bool:
        """Return whether the net, when it plays, reads the left hand that it has played so far."""
        return self.hands in ("both-in", "both", "both-scheduled")

    @property
    def tells_right(self) -> bool:
        """Return whether the net also predicts the right hand."""
        return self.hands in ("both-out", "both", "both-scheduled")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data, for the JSON file in the fit's folder."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Seed:
        """Return the configuration from the content of the JSON file in the fit's folder.

        Other keys of the file, which are facts about the fit, are ignored.
        """
        own = {key: value for key, value in kept.items() if key in cls.__dataclass_fields__}
        return cls(**{**own, "ahead": tuple(own["ahead"])})

    def changed(self, **changes: float | None) -> Seed:
        """Return the configuration with another number of steps, units or layers, or another rate.

        None changes nothing. The changes are added to the name, as in `keys@units=128,steps=1600`. Raises
        UserError if the configuration plays the weights of another one, which have another size.
        """
        asked = {key: value for key, value in changes.items() if value is not None and value != getattr(self, key)}
        if not asked:
            return self
        if self.like and not {"steps", "rate"} >= asked.keys():
            raise UserError(f"{self.name} begins with the weights of {self.like}: it takes only --steps and --rate.")
        told = ",".join(f"{key}={value:g}" for key, value in asked.items())
        return replace(self, name=f"{self.name}@{told}", **asked)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Chorale:
    """Describes one of four ways to choose events from the probabilities of the net in `seeds/chorales.py`."""

    name: str
    about: str
    pick: str = "greedy"
    top_k: int = 3
    top_p: float = 0.9
    temperature: float = 0.8

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data, for the JSON file in the fit's folder."""
        return asdict(self)


_SEEDS = (
    Seed("pitch-classes", "12 pitch classes; right hand in, left out; GRU; what the others differ from"),
    Seed("pitch-classes-long", "12 pitch classes, 128 units, 1,600 steps", units=128, steps=1600),
    Seed("two-layers", "12 pitch classes, two layers", layers=2),
    Seed("keys", "88 keys", kind="keys"),
    Seed("keys-long", "88 keys, 128 units, 1,600 steps", kind="keys", units=128, steps=1600),
    Seed("octave", "12 + octave: a decoder of 88 keys masked by the 12", kind="octave"),
    Seed("both-in", "both in, left out; its own left hand at playing", hands="both-in", silent=True),
    Seed(
        "both-in-warm",
        "the same weights after 8 bars of the true hand",
        hands="both-in",
        warm=128,
        like="both-in",
        steps=0,
    ),
    Seed("both-in-keys", "both in, left out, in 88 keys", kind="keys", hands="both-in", silent=True),
    Seed("both-out", "right in, both out", hands="both-out"),
    Seed("both", "both predicted, the melody thrown away for the played one", hands="both", silent=True),
    Seed("both-scheduled", "the same with scheduled interpolation to the truth", hands="both-scheduled", silent=True),
    Seed(
        "both-scheduled-warm",
        "the same weights after 8 bars of the true hand",
        hands="both-scheduled",
        warm=128,
        like="both-scheduled",
        steps=0,
    ),
    Seed("window-32", "windows of 32 steps, half overlapping", stretch=32, every=16),
    Seed("window-64", "windows of 64 steps, half overlapping", stretch=64, every=32),
    Seed("window-512", "windows of 512 steps, half overlapping", stretch=512, every=256),
    Seed("fragments-256", "fragments of 256 steps every two bars", stretch=256, every=32),
    Seed("ahead-2", "targets two steps ahead", ahead=(2,)),
    Seed("ahead-4", "targets four steps ahead", ahead=(4,)),
    Seed("ahead-1-to-4", "targets one to four steps ahead, their mean is played", ahead=(1, 2, 3, 4)),
    Seed("no-position", "without the metrical position", position=False),
    Seed("no-transposition", "without x12 transposition", transpose=False),
    Seed("conv", "causal Conv1D, dilated, residual, a window of 63 steps", body="conv"),
    Seed("lstm", "LSTM", body="lstm"),
    Seed("taps", "history taps 3, 7, 15, 31, 47, 63, 95, 127 steps back", body="taps", stretch=256, every=128),
    Seed("history", "history user: attention over those lags", body="history", stretch=256, every=128),
    Seed(
        "history-both",
        "history user over both hands' past",
        body="history",
        hands="both-scheduled",
        stretch=256,
        every=128,
        silent=True,
    ),
    Seed("voices", "4 parallel voices, a softmax with a pause each", kind="voices", pick="likeliest"),
    Seed("voices-no-pause", "the same without the pause loss", kind="voices", pick="likeliest", pauses=False),
    Seed("notes", "chord notes sampled one after another, once a beat", kind="notes", pick="draw", hold=4),
    Seed("notes-greedy", "the same, the likeliest each step", kind="notes", pick="likeliest", like="notes", steps=0),
    Seed(
        "notes-no-pause",
        "sampled one after another without the pause loss",
        kind="notes",
        pick="draw",
        hold=4,
        pauses=False,
    ),
    Seed("distance", "distance loss in place of BCE", loss="distance"),
    Seed("bce-distance", "BCE and the distance loss together", loss="bce-distance"),
    Seed("consonance", "BCE and the bilinear consonance loss", loss="consonance"),
    Seed(
        "softmax", "softmax on the wanted hand in place of the threshold", pick="softmax", like="pitch-classes", steps=0
    ),
    Seed(
        "reward",
        "pitch-classes tuned by policy gradient on the panel",
        loss="reward",
        like="pitch-classes",
        steps=200,
        rate=5e-4,
    ),
)
_CHORALES = (
    Chorale("chorales-greedy", "Bach chorales' events, embedding 3, LSTM 6-12-6; greedy"),
    Chorale("chorales-top-k", "the same weights, top 3 of the distribution", pick="top-k"),
    Chorale("chorales-top-p", "the same weights, nucleus of .9", pick="top-p"),
    Chorale("chorales-temperature", "the same weights, temperature .8", pick="temperature"),
)

_DRAWN = (
    Seed("both-drawn", "both predicted; every key drawn with its probability, and read back", hands="both"),
    Seed("both-softmax", "both predicted; softmax on the left hand in place of the threshold", hands="both"),
    Seed("both-scheduled-drawn", "the scheduled interpolation, every key drawn", hands="both-scheduled"),
    Seed("both-scheduled-warm-drawn", "the same after 8 bars of the true hand", hands="both-scheduled", warm=128),
    Seed("both-in-drawn", "both in, left out, every key drawn", hands="both-in"),
    Seed("both-in-warm-drawn", "the same after 8 bars of the true hand", hands="both-in", warm=128),
    Seed("both-in-keys-drawn", "both in, left out, in 88 keys, every key drawn", kind="keys", hands="both-in"),
    Seed(
        "history-both-drawn",
        "history user over both hands' past, every key drawn",
        hands="both-scheduled",
        body="history",
        stretch=256,
        every=128,
    ),
)
"""Rows that play the weights of a silent row. The net's own decisions, drawn by chance, are read back."""


def _played(seed: Seed) -> Seed:
    """Return a row of `_DRAWN` with its two missing fields, which follow from its name.

    The name begins with the row whose weights it plays, and ends with the way to decide.
    """
    base, _, pick = seed.name.rpartition("-")
    return replace(seed, like=base.removesuffix("-warm"), steps=0, pick={"drawn": "draw"}.get(pick, pick))


SEEDS: dict[str, Seed] = {seed.name: seed for seed in (*_SEEDS, *map(_played, _DRAWN))}
CHORALES: dict[str, Chorale] = {chorale.name: chorale for chorale in _CHORALES}
CHORALE_FIT = "chorales"
"""Folder of the fit that all chorale configurations share."""
