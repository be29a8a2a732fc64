"""Runs `lefthand status`, which prints the status of the running box."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec

import click

from device.control.client import ControlClient
from device.errors import UserError
from device.status.schema import FILE, PERIOD_S, Status, parsed_status, read_status, status_age_s
from device.status.text import lines, one_line, trouble
from device.system.paths import run_dir

DEAD = 1
"""Exit status if the box has died or hangs."""
PERIODS = 4
"""Periods of the status to wait for a status over the control socket. If none comes in that time, the box may hang."""
AGAIN_S = 5.0
"""After the control socket has failed, the file is read for so many seconds. A box that hangs would delay each new
attempt."""
WIDTH = 8
"""Width of the column of names, in characters."""


@click.command()
@click.option(
    "--watch", is_flag=True, help="Repeat until Ctrl-C: a live view on a terminal, otherwise one line per second."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the status file as JSON, with its age and whether the box is alive."
)
@click.pass_context
def status(ctx: click.Context, watch: bool, as_json: bool) -> None:
    """Show what the running box does. The exit status is 1 if it has died or hangs."""
    if watch:
        _watch(as_json)
        return
    told, age_s = _read()
    wrong = trouble(told, age_s)
    if as_json:
        click.echo(_as_json(told, age_s))
    else:
        for name, value in lines(told):
            click.echo(f"{name:<{WIDTH}} {value}")
        if wrong is not None:
            click.echo(f"lefthand: {wrong}", err=True)
    ctx.exit(0 if wrong is None else DEAD)


def _read() -> tuple[Status, float]:
    """Return the status from its file and its age in seconds. Raises UserError if no box runs."""
    folder = run_dir()
    told = read_status(folder)
    if told is None:
        where = "no folder for it" if folder is None else f"no status in {folder / FILE}"
        raise UserError(
            f"No box runs here ({where}): start it with `sudo systemctl start lefthand`, or `lefthand run --wait`."
        )
    return told, status_age_s(folder) or 0.0


def _as_json(told: Status, age_s: float) -> str:
    return json.dumps({**asdict(told), "age_s": round(age_s, 3), "alive": told.alive})


def _watch(as_json: bool) -> None:
    """Show the status again and again until Ctrl-C. If no box runs, say so and wait for one."""
    look = _Look()
    drawn = sys.stdout.isatty() and not as_json and find_spec("rich") is not None
    try:
        if drawn:
            from device.status.live_view import show

            show(look)
        else:
            _print(as_json, look)
    except KeyboardInterrupt:
        return
    finally:
        look.close()


class _Look:
    """Reads the status again and again: over the control socket, or from the file if the socket cannot be used."""

    def __init__(self) -> None:
        self._box: ControlClient | None = None
        self._again_s = 0.0
        """Monotonic time of the next attempt to use the socket."""

    def __call__(self) -> tuple[Status, float] | str:
        """Return the newest status and its age in seconds, or a sentence that says why there is none."""
        try:
            return self._streamed() or _read()
        except UserError as error:
            return str(error)

    def close(self) -> None:
        """Close the connection to the control socket, if there is one."""
        if self._box is not None:
            self._box.close()
            self._box = None

    def _streamed(self) -> tuple[Status, float] | None:
        """Return the next status from the control socket, with the age 0.

        None if the box cannot be reached over the socket or sends no status in time. Then the socket rests for AGAIN_S.
        """
        if time.monotonic() < self._again_s:
            return None
        try:
            if self._box is None:
                self._box = ControlClient(run_dir())
                self._box.ask({"watch": True})
            newest = self._box.newest("status", PERIODS * PERIOD_S)
        except UserError:
            self.close()
            self._again_s = time.monotonic() + AGAIN_S
            return None
        status = parsed_status(newest)
        return None if status is None else (status, 0.0)


def _print(
    as_json: bool,
    look: Callable[[], tuple[Status, float] | str],
    period_s: float = 1.0,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Print the status as one line every `period_s` seconds, without end. `look` returns the status or a sentence.

    A sentence about a fault is printed once, until it changes. `wait` sleeps for a number of seconds. If `as_json` is
    true, each line is JSON and no sentence is printed.
    """
    said = ""
    while True:
        found = look()
        if isinstance(found, str):
            wrong: str | None = found
        else:
            wrong = trouble(*found)
            if as_json:
                click.echo(_as_json(*found))
            elif wrong is None:
                click.echo(one_line(found[0]))
        if wrong is not None and wrong != said and not as_json:
            click.echo(wrong)
        said = wrong or ""
        sys.stdout.flush()
        wait(period_s)
