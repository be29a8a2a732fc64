"""Makes a wider transcriber from a fitted narrower one. Its outputs are the same at first, and it can learn more.

This is Net2Net (Chen, Goodfellow, Shlens 2016) with new units instead of doubled ones. The output weights of a new
unit are zero and its input weights are random. So the first outputs are the narrow net's, and all new units differ.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.transcriber.net import NetConfig, TranscriberNet, build_net

Places = NDArray[np.intp]


def widened(config: NetConfig, spec: FeatureSpec, narrow: NetConfig, weights: Path) -> TranscriberNet:
    """Return a net of `config` with the same outputs as the net of `narrow` with these `weights`.

    Raises UserError if `config` is narrower anywhere, or differs in more than `width`, `mix`, `memory` and `later`.
    """
    same = replace(config, width=narrow.width, mix=narrow.mix, memory=narrow.memory, later=narrow.later)
    grown = (config.width >= narrow.width, config.mix >= narrow.mix, config.memory >= narrow.memory)
    if same != narrow or not all(grown):
        raise UserError(
            f"A net can grow in width, mix and memory alone, or wait longer: {narrow} cannot begin {config}."
        )
    small, large = build_net(narrow, spec, weights), build_net(config, spec)
    for old, new in zip(small.weights, large.weights, strict=True):
        new.assign(_placed(np.asarray(old), np.asarray(new), _places(new.path, narrow, config)))
    return large


def _placed(old: NDArray[np.float32], new: NDArray[np.float32], places: list[Places | None]) -> NDArray[np.float32]:
    """Return a copy of the weights `new` with the weights `old` written at `places`, given for each axis.

    All other weights that lead to an old output (last axis) are 0, so the old outputs stay the same.
    """
    where = [np.arange(size) if place is None else place for place, size in zip(places, new.shape, strict=True)]
    out = new.copy()
    out[..., where[-1]] = 0
    out[np.ix_(*where)] = old
    return out


def _places(path: str, narrow: NetConfig, config: NetConfig) -> list[Places | None]:
    """Return the places of a variable's old entries in the new one, for each axis. None: the places are the same."""
    width, mix = _spread(narrow.width, config.width), _spread(narrow.mix, config.mix)
    memory, gates = _spread(narrow.memory, config.memory), _spread(narrow.memory, config.memory, 3)
    layer, name = path.split("/")[-2:]
    if layer == "heads":
        return [None] if name == "bias" else [np.concatenate([memory, config.memory + mix]), None]
    if layer.startswith("gates"):
        return [gates] if name == "bias" else [mix if layer == "gates_in" else memory, gates]
    if name == "key_offset":
        return [None, mix]
    if "norm" in layer:
        return [mix if layer == "mix_norm" else width]
    if layer == "mix":
        return [None, None, _spread(narrow.width, config.width, 1 + len(config.neighbours)), mix]
    return [None, None, width if layer.startswith("conv") else None, width]


def _spread(old: int, new: int, groups: int = 1) -> Places:
    """Return the places of `groups` groups of `old` units within as many groups of `new` units."""
    return np.concatenate([group * new + np.arange(old) for group in range(groups)])
