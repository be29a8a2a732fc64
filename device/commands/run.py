"""Runs `lefthand run`, which plays the left hand to a live right hand."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from device.assemble import set_up
from device.clock.upbeat import MOST_UPBEAT
from device.commands.file_path import FilePath
from device.commands.options import FiniteRange, WholeRange, settings_file
from device.errors import UserError
from device.recording.capture import DEFAULT_MB, MEGABYTE, Capture
from device.service.journal import log_to_journal_or_stderr
from device.system.account import leave_root
from device.system.paths import run_dir


@click.command()
@settings_file("The settings; docs/lefthand.toml has every key.")
@click.option(
    "--record",
    type=FilePath(),
    metavar="DIR",
    help="Record sound, notes and sent messages into a new folder, for `lefthand play DIR/capture.wav`.",
)
@click.option(
    "--record-mb",
    type=WholeRange(1),
    metavar="MB",
    default=DEFAULT_MB,
    show_default=True,
    help="The recording ends at this size, and playing continues.",
)
@click.option(
    "--upbeat",
    type=FiniteRange(0, MOST_UPBEAT),
    metavar="BEATS",
    help="The music begins so many beats before its first bar. Takes the place of [clock] upbeat.",
)
@click.option("--print", "prints", is_flag=True, help="Print each note as it is decided: time, name, velocity, hand.")
@click.option(
    "--wait",
    is_flag=True,
    help="As a service: wait for missing ports and play when they are connected. SIGHUP reads the settings again.",
)
@click.option(
    "--demo",
    type=FilePath(),
    metavar="SOUND",
    help="With --wait: hear this file in a loop, and open no sound input and no MIDI port.",
)
def run(
    path: Path,
    record: Path | None,
    record_mb: int,
    upbeat: float | None,
    prints: bool,
    wait: bool,
    demo: Path | None,
) -> None:
    """Play the left hand to a live right hand, until Ctrl-C."""
    log_to_journal_or_stderr()
    settings = path.absolute()
    if wait and upbeat is not None:
        raise UserError("--upbeat is for one run: with --wait, set [clock] upbeat in the settings.")
    if wait and prints:
        raise UserError("--print is for a run in a terminal: with --wait, `lefthand status --watch` shows the notes.")
    capture = None if record is None else Capture(record.absolute(), record_mb * MEGABYTE)
    if demo is not None and not wait:
        raise click.UsageError("--demo needs --wait.")
    sound = None if demo is None else demo.absolute()
    leave_root()
    if wait:
        from device.demo.demo_opening import DemoOpener
        from device.service.daemon import Daemon

        opener = None if sound is None else partial(DemoOpener, sound)
        Daemon(lambda: set_up(settings), run_dir(), capture, settings, opener).run()
    else:
        from device.service.foreground import run as run_live

        setup = set_up(settings, upbeat)
        run_live(setup.config, setup.engine, setup.models.hop_s, capture, _print if prints else None)


def _print(line: str) -> None:
    """Print `line` at once. Raises BrokenPipeError if the reader of a pipe has gone.

    Then what Python still holds for the pipe is thrown away, so that it causes no second error at the end.
    """
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
