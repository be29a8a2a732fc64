"""`lefthand status`: what the box that runs now tells of itself."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import click

from device.errors import UserError
from device.status.schema import FILE, Status, read_status
from device.status.text import lines, one_line, trouble
from device.system.paths import run_dir

DEAD = 1
WIDTH = 8


@click.command()
@click.option(
    "--watch", is_flag=True, help="Show it anew until Ctrl-C: a live view on a terminal, else a line a second."
)
@click.option(
    "--json", "as_json", is_flag=True, help="The status file as JSON, with its age and whether the box lives."
)
@click.pass_context
def status(ctx: click.Context, watch: bool, as_json: bool) -> None:
    """Say what the running box does; the exit status is 1 where it has died or hangs."""
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
    """The status and its age in seconds; UserError where no box runs."""
    folder = run_dir()
    told = read_status(folder)
    if told is None:
        raise UserError(
            f"No box runs here ({folder / FILE} tells nothing): start it with `sudo systemctl start lefthand`, "
            f"or `lefthand run --wait`."
        )
    return told, _age_s(folder / FILE)


def _age_s(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def _as_json(told: Status, age_s: float) -> str:
    return json.dumps({**asdict(told), "age_s": round(age_s, 3), "alive": told.alive})


def _watch(as_json: bool) -> None:
    """Until Ctrl-C; a box that is not there is waited for."""
    drawn = sys.stdout.isatty() and not as_json and find_spec("rich") is not None
    try:
        if drawn:
            from device.status.live_view import show

            show(_look)
        else:
            _print(as_json)
    except KeyboardInterrupt:
        return


def _look() -> tuple[Status, float] | str:
    """The status and its age, or the sentence that says why there is none."""
    try:
        return _read()
    except UserError as error:
        return str(error)


def _print(as_json: bool, period_s: float = 1.0, wait: Callable[[float], None] = time.sleep) -> None:
    """A line a second; a sentence once, as long as it stays the same."""
    said = ""
    while True:
        found = _look()
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
