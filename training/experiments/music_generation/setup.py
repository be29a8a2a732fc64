"""Defines the configurations of the diary's experiments. Each has its date and the verdict that the diary gives.

The diary is a document from which the project began. It tells of nets that write piano music for both hands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from device.errors import UserError
from device.events import KEYS

LAGS = (3, 7, 15, 31, 47, 63, 95, 127)
"""Distances in sixteenths from the current vector back to the vectors of the history."""
DELAYS = (1, 3, 7, 15, 31)
"""Delays in sixteenths of the recurrent connections of `LatencyCell`."""
CLASSES = 12
BODIES = ("lstm", "history-user", "capsules", "latency", "repeat", "decoder")
HEADS = ("keys", "voices", "conditional", "conditional-lstm", "repeat")
METAS = ("", "reset", "moving")
VOICE_UNITS = 40
"""Units of the LSTM of one voice, in the final model."""
KEY_STEPS, CLASS_STEPS = 160, 240
"""Number of batches of a fit of 88 keys and of one of 12 pitch classes. A batch of 88 keys has half as many fragments.

All fits together take about 16 CPU minutes.
"""


@dataclass(frozen=True)
class Entry:
    """Describes one experiment of the diary.

    `width` is 88 keys or 12 pitch classes. `body` makes features from the past: LSTMs of `units` (with `history`, they
    also read the vectors at `LAGS`), the history user, the capsules, or an LSTM with several delays. `head` makes
    probabilities from the features: one for each key; or distributions over the keys and a pause, one for each of
    `voices`, which are independent, or conditional on the notes already drawn. `repeat` is body and head in one.

    `time` adds the position in the bar to the input. `crutch` stops the gradient through 1 - p in the loss, and
    `pause` adds the pause loss. `shifts` transposes pitch classes cyclically. `meta` is the learning during generation:
    `reset` begins each step with the fitted weights, `moving` keeps what was learnt; both make `meta_steps` steps of
    `meta_rate`. `like` names the entry whose weights are used. Then only the generation differs.
    """

    name: str
    date: str
    about: str
    found: str
    width: int = KEYS
    body: str = "lstm"
    units: tuple[int, ...] = (100,)
    history: bool = True
    head: str = "voices"
    voices: int = 7
    time: bool = True
    crutch: bool = False
    pause: bool = False
    shifts: bool = False
    meta: str = ""
    meta_rate: float = 1e-4
    meta_steps: int = 1
    like: str = ""
    steps: int = KEY_STEPS
    rate: float = 1e-2

    def __post_init__(self) -> None:
        for field, known in (("body", BODIES), ("head", HEADS), ("meta", METAS), ("width", (KEYS, CLASSES))):
            if getattr(self, field) not in known:
                raise UserError(f"{self.name}: {field} {getattr(self, field)!r} is none of {known}.")
        if self.shifts and self.width != CLASSES:
            raise UserError(f"{self.name}: only pitch classes are shifted cyclically.")
        if (self.body == "repeat") != (self.head == "repeat"):
            raise UserError(f"{self.name}: the repeated LSTM is body and head in one.")
        if min(self.voices, self.steps, *self.units) < 1 or self.rate <= 0:
            raise UserError(f"{self.name}: voices, steps, units and rate must be above 0.")

    @property
    def voice_count(self) -> int:
        """Return the number of distributions that the net gives for a step. It is 1 for the head of single keys."""
        return 1 if self.head == "keys" else self.voices

    @property
    def conditional(self) -> bool:
        """Return whether the net draws the notes of a step itself, so that each note depends on those before it."""
        return self.head.startswith("conditional")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data, for the JSON file in the fit's folder."""
        return asdict(self)

    def changed(self, **changes: Any) -> Entry:
        """Return the entry with other values of some fields. None changes nothing. `units` sets all LSTMs' width.

        The changes are added to the name. Raises UserError if the entry uses the weights of another one, if `layers` is
        given for a body with a fixed number of layers, or if a new value is not allowed.
        """
        asked = {key: value for key, value in changes.items() if value is not None}
        layers, units = asked.pop("layers", None), asked.pop("units", None)
        if layers or units:
            if self.body not in ("lstm", "decoder") and layers:
                raise UserError(f"{self.name}: its body has a fixed number of layers.")
            count = layers or len(self.units)
            asked["units"] = tuple([units] * count if units else (self.units * count)[:count])
        if not asked:
            return self
        if self.like:
            raise UserError(f"{self.name} uses the weights of {self.like}: change that one.")
        told = ",".join(f"{key}={'-'.join(map(str, v)) if isinstance(v, tuple) else v}" for key, v in asked.items())
        return replace(self, name=f"{self.name}@{told}", **asked)


_CONDITIONAL: dict[str, Any] = {
    "width": CLASSES,
    "body": "history-user",
    "units": (100, 100, 100),
    "voices": 5,
    "shifts": True,
}

_ENTRIES = (
    Entry(
        "mg-lstm-300",
        "03/12",
        "LSTM of 300 over the 88 keys now and 3, 7, 15, 31, 47, 63, 95, 127 steps ago; 88 probabilities, each drawn",
        "works, but each note is drawn without regard to the others",
        units=(300,),
        head="keys",
        time=False,
    ),
    Entry(
        "mg-repeat",
        "06/12",
        "the same input fed 7 times, with p, then p + (1 - p) p2, and so on; one note drawn each time",
        "failed: learns badly, generates nonsense (with 12 pitch classes already)",
        width=CLASSES,
        body="repeat",
        head="repeat",
        time=False,
        steps=CLASS_STEPS,
    ),
    Entry(
        "mg-latency",
        "09/12",
        "LatencyLSTM: recurrent connections with delays of 1, 3, 7, 15 and 31 steps in place of the history",
        "failed: repeats are not found",
        body="latency",
        history=False,
        head="keys",
        time=False,
    ),
    Entry(
        "mg-voices",
        "11/12",
        "7 voices, each a softmax of 88 keys and a pause; loss on p += (1 - p) p_i",
        "works; a simple and funny solution",
        units=(300,),
        time=False,
    ),
    Entry(
        "mg-voices-meta",
        "13/12",
        "the same weights; before each generated step one training step on what was generated, from the fitted weights",
        "funny results, but a risk of trivial sequences",
        units=(300,),
        time=False,
        meta="reset",
        like="mg-voices",
    ),
    Entry("mg-upgraded", "14/12", "two LSTMs of 100, and time as input", "better than one of 300", units=(100, 100)),
    Entry(
        "mg-upgraded-meta",
        "15/12",
        "the same weights; one training step of 1e-4 before each generated step, from the fitted weights",
        "no difference can be heard",
        units=(100, 100),
        meta="reset",
        like="mg-upgraded",
    ),
    Entry(
        "mg-upgraded-meta-4",
        "15/12",
        "the same with four training steps",
        "no difference can be heard",
        units=(100, 100),
        meta="reset",
        meta_steps=4,
        like="mg-upgraded",
    ),
    Entry(
        "mg-upgraded-moving",
        "15/12",
        "the same with a rate of 1e-5, never back to the fitted weights",
        "the rate had to be very low",
        units=(100, 100),
        meta="moving",
        meta_rate=1e-5,
        like="mg-upgraded",
    ),
    Entry(
        "mg-capsules",
        "16/12",
        "an LSTM of 24 for the current vector and for each of the 8 of the history, then an LSTM of 100",
        "so so",
        body="capsules",
        units=(24, 100),
        rate=1e-3,
    ),
    Entry(
        "mg-capsules-meta",
        "20/12",
        "the same weights with learning during generation",
        "changed nothing",
        body="capsules",
        units=(24, 100),
        meta="reset",
        like="mg-capsules",
    ),
    Entry(
        "mg-history-user",
        "19/12",
        "HistoryUser: an LSTM of 100 makes coefficients to read the history, one of 100 reads the input, a third joins",
        "works: reads from certain places, and the loss falls there; no long copies",
        body="history-user",
        units=(100, 100, 100),
    ),
    Entry(
        "mg-conditional",
        "26/12",
        "HistoryUser; 7 linear heads, each given the notes already drawn; without the crutch",
        "did not learn: 6 empty voices",
        body="history-user",
        units=(100, 100, 100),
        head="conditional",
    ),
    Entry(
        "mg-conditional-crutch",
        "26/12",
        "the same with the gradient through 1 - p stopped (the holy crutch)",
        "learns, nobody knows why",
        body="history-user",
        units=(100, 100, 100),
        head="conditional",
        crutch=True,
    ),
    Entry(
        "mg-decoder",
        "28/12",
        "an LSTM from 12 pitch classes to 88 keys; keys of other pitch classes are 0, in the loss too",
        "works; errors are errors of an octave",
        body="decoder",
        history=False,
        head="keys",
    ),
    Entry(
        "mg-final",
        "29/12",
        "HistoryUser, 5 conditional voices by LSTMs of 40, 12 pitch classes with cyclic shifts, the decoder; crutch",
        "some harmonies; the voices divide the notes strangely",
        **_CONDITIONAL,
        head="conditional-lstm",
        crutch=True,
        steps=CLASS_STEPS,
    ),
    Entry(
        "mg-final-moving",
        "29/12",
        "the same weights with learning at 1e-5 during generation",
        "submitted as the fourth",
        **_CONDITIONAL,
        head="conditional-lstm",
        crutch=True,
        meta="moving",
        meta_rate=1e-5,
        like="mg-final",
    ),
    Entry(
        "mg-final-heads",
        "29/12",
        "the final model with linear heads in place of the LSTMs of 40",
        "not in the diary",
        **_CONDITIONAL,
        head="conditional",
        crutch=True,
        steps=CLASS_STEPS,
    ),
    Entry(
        "mg-final-7",
        "29/12",
        "the final model with 7 voices in place of 5",
        "not in the diary",
        **{**_CONDITIONAL, "voices": 7},
        head="conditional-lstm",
        crutch=True,
        steps=CLASS_STEPS,
    ),
    Entry(
        "mg-pause-loss",
        "06/01",
        "the final model without the crutch; the product of all voices' pauses against whether the song pauses",
        "works without the crutch; submitted as the fifth",
        **_CONDITIONAL,
        head="conditional-lstm",
        pause=True,
        steps=CLASS_STEPS,
    ),
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
