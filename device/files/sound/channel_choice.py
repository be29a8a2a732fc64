"""Describes how the channels of a sound file become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Why: TypeAlias = Literal["asked", "cancel", "weak", "shifted", "noise", "clipped", "sum"]


@dataclass(frozen=True)
class ChannelChoice:
    """Describes how the channels of a file are made into one.

    `channel` is the number of the channel that is used alone, counted from 0, and `why` is the reason. Both are None if
    the mean of all channels is used. `shift_s` is the delay between the channels in seconds, if it is the reason.
    `worse` is the number of the channel that is noisy or clipped, if that is the reason. With the reason "sum", one
    channel is the sum of a left and a right channel and the other their difference. Their mean is the left channel.
    """

    channel: int | None = None
    why: Why | None = None
    shift_s: float = 0.0
    worse: int = 0

    def mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one channel made from `block`, which has the shape [samples, channels].

        Samples of a mean that are not finite count as 0, so that one broken channel does not silence the others.
        """
        if self.channel is not None:
            return block[:, self.channel]
        if block.shape[1] == 1:
            return block[:, 0]
        # the sum of two finite samples may be too large for float32
        mean: NDArray[np.float32] = finite(block).mean(axis=1, dtype=np.float64).astype(np.float32)
        return mean

    def sentence(self, name: str) -> str | None:
        """Return a warning about the file `name`; None if there is nothing to report."""
        if self.why == "sum":
            return (
                f"One channel of {name} is the sum of two microphones and the other their difference: their mean, "
                f"which is one of the microphones, is heard (--channel N chooses another)."
            )
        if self.channel is None or self.why in (None, "asked"):
            return None
        instead = f"channel {self.channel + 1} alone is heard (--channel N chooses another)"
        match self.why:
            case "cancel":
                return f"The channels of {name} cancel each other out, as if one were inverted: {instead}."
            case "weak":
                return f"The mean of the channels of {name} is much weaker than one of them: {instead}."
            case "noise":
                return f"Channel {self.worse + 1} of {name} holds a steady noise and no music: {instead}."
            case "clipped":
                return f"Channel {self.worse + 1} of {name} is clipped: {instead}."
        return f"The channels of {name} are {self.shift_s * 1e3:.1f} ms apart in time: {instead}."


def finite(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `block` with 0 in place of samples that are not finite."""
    return np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
