"""A wider transcriber that begins where a narrower one ended: the same answers, and room to learn more.

Net2Net (Chen, Goodfellow, Shlens 2016) with new units instead of doubled ones: what a new unit gives counts for
nothing yet, what it sees is drawn at random. The first answers are the narrow net's, and no two new units are alike.
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
    """A net of `config` that answers as the one of `narrow` with these `weights` does.

    Raises UserError where `config` is narrower anywhere, or differs in more than `width`, `mix`, `memory` and `later`.
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
    """`old` at its `places` along each axis of `new`; its outputs, on the last axis, see no new input."""
    where = [np.arange(size) if place is None else place for place, size in zip(places, new.shape, strict=True)]
    out = new.copy()
    out[..., where[-1]] = 0
    out[np.ix_(*where)] = old
    return out


def _places(path: str, narrow: NetConfig, config: NetConfig) -> list[Places | None]:
    """Where a variable's old entries lie in the new one, axis by axis; None: where they did."""
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
    """Where `groups` groups of `old` units lie among as many of `new` ones."""
    return np.concatenate([group * new + np.arange(old) for group in range(groups)])
