"""Chooses the hypotheses that lead the clock that follows the player: the group that most of the weight agrees with."""

from __future__ import annotations

import numpy as np

from device.following.bank import MANNER, QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.doubts import Rivals
from device.following.hypotheses import Hypotheses
from device.following.manners import QUICKENING, SLOWING
from device.following.next_onset import QUARTER
from device.following.rhythm import wrapped

SAME_BEAT, SAME_TEMPO = 0.12, 0.2
"""Two hypotheses agree if their beats differ by less (in beats) and their tempi differ by less (relatively)."""
ASKED, LEADING = 12, 12
"""Number of the likeliest hypotheses that may lead, and the largest number of hypotheses that lead together."""
CHANGING = 0.2
"""A steady player's tempo is even if slowing and quickening have less weight than this in the leading hypotheses."""
SHARE_RATE = 0.06
"""Weight of each onset in the running mean of the agreement between hypotheses."""


class Leaders:
    """Holds the leading hypotheses in `bank`, the likeliest first. It is None until they were chosen."""

    def __init__(self, hypotheses: Hypotheses, beats_per_bar: int) -> None:
        self._hypotheses, self._beats_per_bar = hypotheses, beats_per_bar
        self.bank: HypothesisBank | None = None
        self.tick, self.time_s, self.quarter_s = 0, 0.0, 1.0
        """Of the likeliest: the last onset's place in the bar in ticks and its time, and a quarter in seconds."""
        self.share, self.usual_share = 0.0, 0.5
        """Weight of all hypotheses that agree with the leading ones, from 0 to 1, and its running mean."""
        self.rivals = Rivals()
        self.is_even = False
        """Whether the player keeps an even tempo."""

    def choose(self, now_s: float) -> None:
        """Choose the hypotheses that lead from `now_s` seconds on. The bank of hypotheses must have been started."""
        b, beat = self._hypotheses.bank, self._hypotheses.beat
        assert b is not None
        quarter_s, weight = b.real[QUARTER_S], b.real[WEIGHT]
        x = b.whole[TICK] + QUARTER * (now_s - b.real[TIME]) / quarter_s
        tempo = np.log(quarter_s)
        apart = wrapped(x[:ASKED, None] - x, beat)
        same_tempo = np.abs(tempo[:ASKED, None] - tempo) < SAME_TEMPO
        alike = np.abs(apart) < SAME_BEAT * beat
        alike &= same_tempo
        shares = alike @ weight
        best = int(shares.argmax())
        alike = alike[best]
        self.rivals.look(weight, alike, same_tempo[best])
        self.share = float(shares[best])
        self.usual_share += SHARE_RATE * (self.share - self.usual_share)
        number = np.rint((x - x[best]) * (1 / beat)).astype(np.int64) % self._beats_per_bar
        votes = np.bincount(number[alike], weight[alike])
        # the bank is in the order of the weights
        members = (alike & (number == int(votes.argmax()))).nonzero()[0][:LEADING]
        lead = b.chosen(members)
        lead.real[WEIGHT] /= lead.real[WEIGHT].sum()
        changing = lead.real[WEIGHT] @ ((lead.whole[MANNER] == SLOWING) | (lead.whole[MANNER] == QUICKENING))
        self.is_even = self._hypotheses.ways.is_steady and float(changing) < CHANGING
        self.bank = lead
        self.tick, self.time_s = int(lead.whole[TICK, 0]), float(lead.real[TIME, 0])
        self.quarter_s = float(lead.real[QUARTER_S, 0])
