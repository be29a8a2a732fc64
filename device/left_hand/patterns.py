"""Bars of the named styles, written as text: two variations of each style, and a fill.

docs/adding.md lists what else a new style needs.

A bar has one character for each grid step:

    -  nothing            .  all keys are released
    B  the root as bass   F  the fifth as bass
    c  two upper keys     d  three upper keys
    C  bass and two upper keys    D  bass and three upper keys
    1  2  3  one upper key: the first, second or third chord tone above the bass
    w  the next key of a walking bass

All but `-` release the keys that are down first. A digit releases the upper keys alone, so the bass stays down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from device.clock.step import Step
from device.left_hand.figure_bank import FOUR, GROUPS
from device.left_hand.figure_player import part_at
from device.left_hand.gesture import NOTHING, Gesture
from device.left_hand.styles import depth, shift
from device.settings.choices import Style, Variation


@dataclass(frozen=True, slots=True)
class Bars:
    """Holds the bars of one variation of a style, as text. Bars of longer metres are put together from them."""

    four: str
    three: str
    six: str
    """The bar of 6/8."""
    two: str = ""
    """The bar of 2/4. If it is empty, it is the first half of `four`."""

    def bar(self, group: int) -> str:
        """Return the text of the bar for a metre: `group` is its index in `figure_bank.GROUPS`."""
        return (self.two or self.four[: len(self.four) // 2], self.three, self.four, self.six)[group]


VARIATIONS: dict[tuple[Style, Variation], Bars] = {
    ("bass", 2): Bars("B-------F-------", "B-------F---", "B-----F-----"),
    ("block", 2): Bars("C---C---C---C---", "C-------C---", "C---C-C---C-", "C-C-C-C-"),
    ("broken", 2): Bars("B-1-2-1-B-1-2-1-", "B-1-2-1-2-1-", "B-2-1-B-2-1-"),
    ("arpeggio", 2): Bars("B-3-2-1-B-3-2-1-", "B-3-2-1-2-3-", "B-3-2-1-2-3-"),
    ("oom-pah", 2): Bars("B---c-c-F---c-c-", "B---c---c-c-", "B-c-c-F---c-"),
    ("sustained", 2): Bars("C-------C-------", "C-------C---", "C-----C-----", "C---C---"),
    ("waltz", 1): Bars("B---c-.-c-.-c-.-", "B---c-.-c-.-", "B-c-c-B-c-c-"),
    ("waltz", 2): Bars("B---c-.-c-.-c-c-", "B---c-.-c-c-", "B-c-c-F-c-c-", "B---c-c-"),
    ("ballad", 1): Bars("B---1---2---1---", "B---1---2---", "B---1-2---1-"),
    ("ballad", 2): Bars("B-1-2---B-1-2---", "B-1-2---1---", "B-1-2-3-2-1-"),
    ("march", 1): Bars("B-.-c-.-F-.-c-.-", "B-.-c-.-c-.-", "B---c-F---c-"),
    ("march", 2): Bars("B-.-c-c-F-.-c-c-", "B-.-c-c-c-.-", "B---c-F-c-c-"),
    ("swing", 1): Bars("w---w---w---w---", "w---w---w---", "w---w-w---w-"),
    ("swing", 2): Bars("w---w--ww---w--w", "w---w--ww---", "w-w-w-w---w-"),
    ("alberti", 1): Bars("B-2-1-2-B-2-1-2-", "B-2-1-2-1-2-", "B-2-1-B-2-1-"),
    ("alberti", 2): Bars("B-1-2-1-B-1-2-1-", "B-1-2-1-2-1-", "B-1-2-B-1-2-"),
    ("stride", 1): Bars("B---d---F---d---", "B---d---d---", "B-d-d-F-d-d-"),
    ("stride", 2): Bars("B---d-d-F---d-d-", "B---d---d-d-", "B---d-F---d-"),
    ("pad", 1): Bars("D---------------", "D-----------", "D-----------"),
    ("pad", 2): Bars("D-------D-------", "D-------D---", "D-----D-----", "D---D---"),
    ("tango", 1): Bars("B-----2-3---2---", "B-----2-3---", "B---2-3---2-", "B--23-2-"),
    ("tango", 2): Bars("B-----c-c---c---", "B-----c-c---", "B---c-c---c-", "B--cc-c-"),
}
"""The first variation of the six older styles is made by `styles.Figure`, in any metre."""
DENSE: dict[tuple[Style, Variation], Bars] = {
    ("bass", 2): Bars("B---F---B---F---", "B---F---B---", "B---F-B---F-"),
    ("block", 2): Bars("C-C-C-C-C-C-C-C-", "C---C---C---", "C-C-C-C-C-C-", "C-CCC-CC"),
    ("broken", 2): Bars("B1212121B1212121", "B12121212121", "B21212B21212"),
    ("arpeggio", 2): Bars("B3213212B3213212", "B32123212321", "B32123212321"),
    ("oom-pah", 2): Bars("B-c-c-c-F-c-c-c-", "B-c-c-c-c-c-", "B-c-c-F-c-c-"),
    ("sustained", 2): Bars("C---C---C---C---", "C---C---C---", "C---C-C---C-", "C-C-C-C-"),
    ("waltz", 1): Bars("B---c-c-c-c-c-c-", "B---c-c-c-c-", "B-c-ccB-c-cc"),
    ("waltz", 2): Bars("B-c-c-c-c-c-c-c-", "B-c-c-c-c-c-", "B-c-ccF-c-cc"),
    ("ballad", 1): Bars("B-1-2-1-3-1-2-1-", "B-1-2-3-2-1-", "B-1-2-3-2-1-"),
    ("ballad", 2): Bars("B-1-2-3-B-1-2-3-", "B-1-2-3-2-1-", "B12321B12321"),
    ("march", 1): Bars("B-c-c-c-F-c-c-c-", "B-.-c-c-c-c-", "B-c-c-F-c-c-"),
    ("march", 2): Bars("B-c-c-ccF-c-c-cc", "B-c-c-c-c-c-", "B-c-ccF-c-cc"),
    ("swing", 1): Bars("w--ww--ww--ww--w", "w--ww--ww--w", "w-w-w-w-w-w-"),
    ("swing", 2): Bars("w--ww--ww--ww--w", "w--ww--ww--w", "w-w-w-w-w-w-"),
    ("alberti", 1): Bars("B212B212B212B212", "B21212121212", "B21212B21212"),
    ("alberti", 2): Bars("B121B121B121B121", "B12121212121", "B12121B12121"),
    ("stride", 1): Bars("B---d-d-F---d-d-", "B---d-d-d-d-", "B-d-ddF-d-dd"),
    ("stride", 2): Bars("B-d-d-d-F-d-d-d-", "B-d-d-d-d-d-", "B-d-d-F-d-d-"),
    ("pad", 1): Bars("D-------D-------", "D-------D---", "D-----D-----", "D---D---"),
    ("pad", 2): Bars("D---D---D---D---", "D---D---D---", "D---D-D---D-", "D-D-D-D-"),
    ("tango", 1): Bars("B--23-2-B--23-2-", "B---1-2-3-2-", "B-1-2-3-1-2-", "B-123-21"),
    ("tango", 2): Bars("B--cc-c-B--cc-c-", "B---c-c-c-c-", "B-c-c-c-c-c-", "B-ccc-cc"),
}
"""The bars of `VARIATIONS` at a density of 2."""
SPARSE: dict[tuple[Style, Variation], Bars] = {
    ("bass", 2): Bars("B---------------", "B-----------", "B-----------"),
    ("block", 2): Bars("C-------C-------", "C-----------", "C-----C-----"),
    ("sustained", 2): Bars("C---------------", "C-----------", "C-----------"),
    ("waltz", 1): Bars("B-------c-.-----", "B---c-.-----", "B-c---B-c---", "B---c-.-"),
    ("ballad", 1): Bars("B-------1-------", "B---1-------", "B-----1-----", "B---1---"),
    ("march", 1): Bars("B-.-----c-.-----", "B-.-c-.-----", "B-----c-----", "B-.-c-.-"),
    ("swing", 1): Bars("w-------w-------", "w-------w---", "w-----w-----", "w---w---"),
    ("stride", 1): Bars("B-------d-------", "B---d-------", "B-d---F-d---", "B---d---"),
    ("pad", 2): Bars("D---------------", "D-----------", "D-----------"),
}
"""The bars at a density of 1/2 of those `VARIATIONS` that have nothing between the beats."""
CHORD_FILL = Bars("B---c---F-c-c-c-", "B---c-c-c-c-", "B-c-c-c-c-c-")
RUN_FILL = Bars("B-1-2-3-2-3-2-1-", "B-1-2-3-2-1-", "B-1-2-3-2-1-")
BASS_FILL = Bars("B---F---B-F-B-F-", "B---F-B-F-F-", "B-F-B-F-B-F-")
_CHORDS = ("block", "oom-pah", "sustained", "waltz", "march", "stride", "pad")
WITH_PEDAL: frozenset[Style] = frozenset({"sustained", "arpeggio", "ballad"})
"""Styles whose pedal changes with each bass."""
HELD: frozenset[Style] = frozenset({"block", "sustained", "pad"})
"""Styles that strike the whole chord when a new chord begins. The others strike the bass."""
ON_BEATS = 2
"""The greatest depth of a beat, see `device.left_hand.styles`."""
_GESTURES = {
    "-": NOTHING,
    ".": Gesture(lift=True),
    "B": Gesture(bass=True, lift=True),
    "F": Gesture(bass=True, lift=True, fifth=True),
    "c": Gesture(upper=2, lift=True),
    "d": Gesture(upper=3, lift=True),
    "C": Gesture(bass=True, upper=2, lift=True),
    "D": Gesture(bass=True, upper=3, lift=True),
    "1": Gesture(upper=1, tone=1),
    "2": Gesture(upper=1, tone=2),
    "3": Gesture(upper=1, tone=3),
    "w": Gesture(bass=True, lift=True, walks=True),
}
_BASSES = "BFCDw"


def fill_of(style: Style) -> Bars:
    """Return the bars of the fill of a style: chords, a run, or the bass alone."""
    return CHORD_FILL if style in _CHORDS else BASS_FILL if style == "bass" else RUN_FILL


class PatternFigure:
    """Plays the bars of one variation step by step. It has no state, so a new chord never starts the bar again."""

    def __init__(self, style: Style, bars: Bars, dense: Bars | None = None, sparse: Bars | None = None) -> None:
        """Play `bars`, and at a density of 2 or 1/2 the bars `dense` or `sparse`, if there are any."""
        self.style, self.bars = style, bars
        self._dense, self._sparse = dense or bars, sparse or bars

    def at(self, step: Step, new_chord: bool, density: float, deepest: int = 4) -> Gesture:
        """Return the gesture at `step`. A new chord strikes the bass, or the whole chord in the styles of `HELD`.

        A density of 1/2 or 1/4 leaves out what lies between the beats, or between the halves of the bar. Steps deeper
        than `deepest` (see `styles.depth`) are left out too.
        """
        cell = self._cell(step, density)
        if depth(step) > min(deepest, _deepest(density)) and not new_chord:
            return NOTHING if cell != "." else _GESTURES["."]
        if new_chord and cell not in "BCDw":
            first = self.bars.four[0]
            cell = first if self.style in HELD or first == "w" else "B"
        gesture = _GESTURES[cell]
        if self.style in WITH_PEDAL and gesture.any:
            return replace(gesture, pedal="change" if cell in _BASSES else "down")
        return gesture

    def _cell(self, step: Step, density: float) -> str:
        meter, change = step.meter, shift(density)
        bars = self._dense if change > 0 else self._sparse if change < 0 else self.bars
        part = part_at(meter.steps_per_bar, meter.steps_per_beat, step.position)
        if part is None:
            return self._plain(step, change > 0)
        return bars.bar(part.group)[step.position - part.first]

    def _plain(self, step: Step, dense: bool) -> str:
        """Return the cell in a metre without bars of its own, such as 9/8: the first bar line, then the next beats.

        If `dense`, the thirds of a beat are struck too.
        """
        if step.is_bar:
            return self.bars.four[0]
        size = GROUPS[FOUR][1]
        struck = step.is_beat or (dense and depth(step) <= ON_BEATS)
        return self.bars.four[size] if struck and self.bars.four[size] not in "-." else "-"


def _deepest(density: float) -> int:
    """Return the greatest depth (see `styles.depth`) of a step that is struck at this density."""
    return {-2: 1, -1: ON_BEATS}.get(shift(density), 4)
