"""The last lines of the log: how many are kept, and what a new process gets of them."""

from __future__ import annotations

import json
import logging

from device.service.last_lines import MOST_CARRIED, MOST_LINES, LastLines


def said(*lines: str, before: str = "[]") -> LastLines:
    kept = LastLines(before)
    logger = logging.getLogger("lefthand")
    # pytest keeps the lines that reach the root logger, and its processes cannot send half of a character to each other
    propagate, logger.propagate = logger.propagate, False
    try:
        with kept:
            for line in lines:
                logger.warning("%s", line)
    finally:
        logger.propagate = propagate
    return kept


def test_the_newest_lines_are_kept_with_their_time() -> None:
    shown = said(*(f"line {i}" for i in range(MOST_LINES + 5))).shown()
    assert len(shown) == MOST_LINES
    assert shown[-1].endswith(f"WARNING line {MOST_LINES + 4}") and shown[-1][2] == ":"


def test_a_process_that_replaces_this_one_goes_on_with_the_lines() -> None:
    before = said("the sound system has gone", "an \udce9 and a \x00").carried()
    # an environment variable holds no zero
    assert "\x00" not in before and before.isascii()
    after = said("it plays again", before=before).shown()
    assert [line.split("WARNING ")[1] for line in after] == [
        "the sound system has gone",
        "an \udce9 and a \x00",
        "it plays again",
    ]


def test_long_lines_do_not_keep_the_new_process_from_its_start() -> None:
    carried = said(*("é" * 3000 for _ in range(MOST_LINES)), "the end").carried()
    assert len(carried) <= MOST_CARRIED
    assert json.loads(carried)[-1].endswith("the end")
    assert said("é" * MOST_CARRIED).carried() == "[]"
