"""The transcriber's levers: each is one change, each can be fitted, and one table shows all figures."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.unit.helpers.sines import sine_bank

os.environ.setdefault("KERAS_BACKEND", "jax")

from device.events import KEYS, LOWEST_KEY, MIDDLE_C
from device.hearing.features import Features, FeatureSpec
from training.__main__ import main
from training.experiments.levers.figures import COLUMNS, FIGURES, HISTORY, table
from training.experiments.levers.setup import LEVERS, SHIPPED, TIMBRE, Lever
from training.scenes.cache import SOURCES
from training.scenes.scene import COLOURS, DETUNE, SCENE_NOTE, Scene, draw
from training.transcriber.fit import CROP_FRAMES, crop
from training.transcriber.net import LossWeights, NetConfig, TranscriberNet, build_net, build_sequence, loss

PAGE = (Path(__file__).parents[4] / "docs" / "experiments" / "transcriber-fit.md").read_text(encoding="utf-8")
OTHERS = [lever for name, lever in LEVERS.items() if name != SHIPPED]
SPEC = FeatureSpec()


@pytest.mark.parametrize("lever", OTHERS, ids=lambda lever: lever.name)
def test_a_lever_is_one_change(lever: Lever) -> None:
    shipped = LEVERS[SHIPPED]
    fields = ("net", "features", "loss", "without", "own", "sources", "amount", "seed")
    changed = {name for name in fields if getattr(lever, name) != getattr(shipped, name)}
    # another hop has other frames to wait for
    assert len(changed) == 1 or changed == {"net", "features"}
    assert lever.expected, "what was expected is said before it is measured"


@pytest.mark.parametrize("lever", [LEVERS[SHIPPED], *(i for i in OTHERS if i.net != LEVERS[SHIPPED].net or i.features)])
def test_a_net_of_another_shape_tells_of_every_key(lever: Lever) -> None:
    net, spec = NetConfig.from_dict(dict(lever.net)), replace(SPEC, **lever.features)
    assert len(net.delays()) == KEYS
    assert build_sequence(TranscriberNet(net, spec, name="net"), 2).output.shape == (None, 2, KEYS, 4)


@pytest.mark.parametrize("lever", LEVERS.values(), ids=lambda lever: lever.name)
def test_a_lever_changes_what_there_is(lever: Lever) -> None:
    LossWeights(**lever.loss)
    assert lever.without in ("", TIMBRE, *COLOURS) and set(lever.sources) <= set(SOURCES)
    assert lever.own_scenes == (lever.without != "" or lever.amount != 1 or lever.sources != SOURCES)


def test_a_head_that_counts_for_nothing_is_not_learnt() -> None:
    target, logits = np.zeros((1, 4, KEYS, 4), np.float32), np.ones((1, 4, KEYS, 4), np.float32)
    onset_alone = float(loss(target, logits, LossWeights(frame=0, offset=0, velocity=0)))
    assert 0 < onset_alone < float(loss(target, logits))
    assert float(loss(target, logits, LossWeights(0, 0, 0, 0))) == 0


def test_onsets_of_the_right_hand_may_count_more() -> None:
    low, high = (np.zeros((1, 4, KEYS, 4), np.float32) for _ in range(2))
    low[0, 1, MIDDLE_C - LOWEST_KEY - 1, 0] = high[0, 1, MIDDLE_C - LOWEST_KEY, 0] = 1
    logits, onsets = np.full(low.shape, -3, np.float32), LossWeights(frame=0, offset=0, velocity=0)
    assert float(loss(low, logits, onsets)) == pytest.approx(float(loss(high, logits, onsets)), rel=1e-5)
    right = replace(onsets, right=2)
    nothing = float(loss(np.zeros_like(low), logits, onsets))
    missed_low, missed_high = float(loss(low, logits, right)) - nothing, float(loss(high, logits, right)) - nothing
    assert missed_high == pytest.approx(2 * missed_low, rel=1e-3)


def test_a_new_net_says_that_notes_are_rare_and_knows_nothing_of_ours_until_it_has_met_them() -> None:
    model = build_sequence(build_net(NetConfig(), SPEC), 3)
    x = np.random.default_rng(1).uniform(0, 1, (1, 3, SPEC.bins, SPEC.channels)).astype(np.float32)
    told, not_told = (
        np.asarray(model({"x": x, "own": np.full((1, 3, KEYS, 2), own, np.float32)})) for own in (1.0, 0.0)
    )
    assert np.array_equal(told, not_told)
    assert np.mean(1 / (1 + np.exp(-not_told[..., 0]))) < 0.05


def test_a_net_that_is_not_told_meets_nothing_of_ours() -> None:
    frames = CROP_FRAMES + 10
    own = np.full((frames, KEYS, 2), 255, np.uint8)
    scene = Scene(np.zeros((frames, SPEC.bins, SPEC.channels), np.uint8), np.array([], SCENE_NOTE), own)
    delays = np.full(KEYS, 3)
    assert crop(scene, 0, delays, SPEC.hop_s, True)[0]["own"].all()
    assert not crop(scene, 0, delays, SPEC.hop_s, False)[0]["own"].any()


def test_a_scene_without_a_colour_has_the_same_notes_and_another_sound() -> None:
    plain, in_tune, as_loud = (
        draw(np.random.default_rng([3, 1]), [], [sine_bank()], [], Features(SPEC), without=name)
        for name in ("", DETUNE, "level")
    )
    for other in (in_tune, as_loud):
        assert np.array_equal(plain.notes[["onset_s", "pitch"]], other.notes[["onset_s", "pitch"]])
        assert not np.array_equal(plain.features, other.features)


def test_the_table_says_what_was_measured_and_nothing_of_what_was_not(tmp_path: Path) -> None:
    folder = tmp_path / "levers" / "fits" / "hop-10"
    folder.mkdir(parents=True)
    figures = {key: 10.0 + i for i, key in enumerate(COLUMNS)}
    (folder / FIGURES).write_text(json.dumps({"parameters": 34124, "figures": figures}))
    (folder / HISTORY).write_text("epoch,loss,val_loss\n0,3.5,2.5\n1,3.1,2.25\n2,3.0,2.375\n")
    printed = CliRunner().invoke(main, ["levers", "--action", "table", "--cache", str(tmp_path)])
    assert printed.output.strip() == table(tmp_path / "levers") and len(printed.output.strip().splitlines()) == 3
    row = printed.output.strip().splitlines()[-1].strip("| ").split(" | ")
    assert row[0] == "`hop-10`" and row[3:5] == ["34,124", "2.25"]
    assert [float(cell) for cell in row[5:]] == list(figures.values())


def test_every_lever_in_the_documents_is_one_and_says_what_it_says_there() -> None:
    table_of = PAGE[PAGE.index("## One at a time") :]
    rows = [
        line.strip("| ").split(" | ")[:3] for line in re.findall(r"^\| `[a-z0-9-]+` \| .*$", table_of, re.MULTILINE)
    ]
    told = {name.strip("`"): (about, expected) for name, about, expected in rows if name.strip("`") in LEVERS}
    assert SHIPPED in told and len(told) > 8
    for name, row in told.items():
        assert row == (LEVERS[name].about, LEVERS[name].expected)
