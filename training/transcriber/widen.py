"""Makes a wider transcriber net from a fitted narrower one.

Before any further fit, the wide net has the same outputs as the narrow one. It can then learn more than the narrow one.

This is Net2Net (Chen, Goodfellow, Shlens 2016) with new units, where the paper doubles old units. The output weights of
a new unit are zero, so the outputs do not change at first. Its input weights are random, so all new units differ.
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
    """Return a net of shape `config` with the same outputs as the net of shape `narrow` and the file `weights`.

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
    """Return a copy of the array `new` into which the smaller array `old` is written.

    `places` holds one entry for each axis: the indices in `new` at which the values of `old` are written. All other
    weights that lead to an old output (an index of the last axis) are 0, so the old outputs stay the same.
    """
    where = [np.arange(size) if place is None else place for place, size in zip(places, new.shape, strict=True)]
    out = new.copy()
    out[..., where[-1]] = 0
    out[np.ix_(*where)] = old
    return out


def _places(path: str, narrow: NetConfig, config: NetConfig) -> list[Places | None]:
    """Return where the narrow net's values of one variable are written in the wide net's variable.

    `path` names the variable. `narrow` and `config` are the shapes of the narrow and of the wide net. The list has one
    entry for each axis of the variable. An entry holds the new index of each old index. An entry is None for an axis
    that no widening makes longer.
    """
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
    """Return the new index of each old unit, if each of `groups` groups of units grows from `old` to `new` units.

    In each group, the old units come first.
    """
    return np.concatenate([group * new + np.arange(old) for group in range(groups)])
