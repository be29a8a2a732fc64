"""The commands of `python -m deploy` for a provisioned box."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from deploy.flash import SLOT, Flash, ask, steps
from deploy.keys import DEFAULT_KEY, ensure_key, public_of
from deploy.pack import pack
from deploy.ssh import NO_CONNECTION, Host
from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.printable import printable

REMOTE_SLOT = "LEFTHAND_SLOT"
"""Environment variable. It can hold a command in shell syntax that replaces the box's own command for flashing."""
_HOSTS = click.option(
    "--host", "hosts", multiple=True, required=True, metavar="HOST", help="A host as for ssh; repeatable."
)
_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--key", type=_PATH, default=DEFAULT_KEY, show_default=True, help="File of the key.")
def keygen(key: Path) -> None:
    """Make the key that bundles are signed with, if there is none."""
    click.echo(f"{public_of(ensure_key(key))} is the key's public part; provisioning copies it to the box.")


@click.command()
@_HOSTS
@click.option("--bundle", type=_PATH, default=default_bundle, help="The bundle's folder. Default: the shipped one.")
@click.option("--key", type=_PATH, default=DEFAULT_KEY, show_default=True, help="Signs the bundle.")
def flash(hosts: tuple[str, ...], bundle: Path, key: Path) -> None:
    """Send a bundle to every HOST and play it. A box goes back to the old bundle by itself if the new one fails."""
    package = pack(Bundle.open(bundle), key)
    names = [Host(host) for host in _all(hosts)]
    told = _Told(len(names), len(package.content))

    def one(host: Host) -> None:
        run = Flash(host, package, lambda step, facts: told.step(host, step, facts), told.sent(host), _slot())
        done = run.run()
        gap_s = done.get("gap_s")
        gap = f"; playing paused for {gap_s:.2f} s at the switch" if gap_s is not None else ""
        told.line(host, f"{done['said']}{gap}")

    with told:
        _each(names, one)


@click.command()
@_HOSTS
def rollback(hosts: tuple[str, ...]) -> None:
    """Go back to the previous bundle on every HOST."""

    def one(host: Host) -> None:
        ran = ask(host, "rollback", slot=_slot())
        told = list(steps(ran.stdout.encode().splitlines()))
        last = told[-1] if told else {"step": "refused", "said": ran.stderr.strip() or "nothing was said"}
        if last["step"] != "done":
            raise UserError(f"{host.name}: {last['said']}")
        gap_s = last.get("gap_s")
        click.echo(
            f"{host.name}: {last['said']}" + (f"; playing paused for {gap_s:.2f} s" if gap_s is not None else "")
        )

    _each([Host(host) for host in _all(hosts)], one)


@click.command()
@_HOSTS
def slots(hosts: tuple[str, ...]) -> None:
    """List the bundles in the slots of every HOST."""

    def one(host: Host) -> None:
        ran = ask(host, "list", slot=_slot())
        if ran.returncode != 0:
            raise UserError(f"{host.name}: {ran.stderr.strip()}")
        click.echo("\n".join([f"{host.name}:", *map(printable, ran.stdout.rstrip().splitlines())]))

    _each([Host(host) for host in _all(hosts)], one)


@click.command()
@_HOSTS
@click.option("--lines", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Newest lines to show.")
@click.option("--follow", is_flag=True, help="Show new lines as they come, until Ctrl-C; for one HOST.")
def logs(hosts: tuple[str, ...], lines: int, follow: bool) -> None:
    """Show the log of the service on every HOST."""
    words = ["journalctl", "--unit", "lefthand", "--no-pager", "--lines", str(lines), *(["--follow"] if follow else [])]
    _show([Host(host) for host in _all(hosts)], words)


@click.command()
@_HOSTS
def doctor(hosts: tuple[str, ...]) -> None:
    """Run `lefthand doctor` on every HOST."""
    _show([Host(host) for host in _all(hosts)], ["lefthand", "doctor"])


def _show(hosts: list[Host], words: list[str]) -> None:
    """Run the command `words` on one host after the other and show its output.

    Ends the program with the highest exit status. Raises UserError if a host cannot be reached.
    """
    worst = 0
    for host in hosts:
        if len(hosts) > 1:
            click.echo(f"{host.name}:")
        code = host.show(*words)
        if code == NO_CONNECTION:
            raise UserError(f"{host.name} cannot be reached: try `ssh {host.name}` by itself first.")
        worst = max(worst, code)
    sys.exit(worst)


def _all(hosts: tuple[str, ...]) -> list[str]:
    """Return the names of all hosts, each once.

    The Makefile passes `--host "a b"` for two hosts, so a value is split at spaces.
    """
    return list(dict.fromkeys(name for host in hosts for name in host.split()))


def _slot() -> tuple[str, ...]:
    return tuple(shlex.split(os.environ.get(REMOTE_SLOT, ""))) or SLOT


def _each(hosts: list[Host], one: Callable[[Host], None]) -> None:
    """Call the function `one` for all hosts at the same time.

    If the function raises UserError for several hosts, all these errors but the last are printed, and the last one is
    raised. Any other error is raised at once. Raises UserError if there are no hosts.
    """
    if not hosts:
        raise UserError("HOST is empty: give what you give to ssh, like pi@lefthand.local.")
    with ThreadPoolExecutor(len(hosts)) as pool:
        futures = [pool.submit(one, host) for host in hosts]
    failed: list[UserError] = []
    for future in futures:
        error = future.exception()
        if isinstance(error, UserError):
            failed.append(error)
        elif error is not None:
            raise error
    for one_failed in failed[:-1]:
        click.echo(f"deploy: {one_failed}", err=True)
    if failed:
        raise failed[-1]


class _Told:
    """Prints lines and progress bars for several hosts at once."""

    def __init__(self, hosts: int, size: int) -> None:
        self._several, self._size = hosts > 1, size
        self._bars: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def line(self, host: Host, said: str) -> None:
        """Print one line on stdout, above the bars."""
        with self._lock:
            tqdm.write(f"{host.name}: {said}" if self._several else said, file=sys.stdout)
            sys.stdout.flush()

    def step(self, host: Host, step: str, facts: dict[str, Any]) -> None:
        """Print the name of a step that the box has reported, and its text in `facts`.

        Nothing is printed for the step "have" if the box has no bytes of the bundle yet.
        """
        if step != "have" or facts.get("bytes"):
            self.line(host, f"{step:<10} {facts['said']}")

    def sent(self, host: Host) -> Callable[[int, int], None]:
        """Return a function that moves the progress bar of `host`.

        Its arguments are the number of bytes that the host has, and the number of bytes in total.
        """

        def advance(there: int, _: int) -> None:
            with self._lock:
                bar = self._bars.get(host.name)
                if bar is None:
                    bar = self._bars[host.name] = tqdm(
                        total=self._size, unit="B", unit_scale=True, desc=host.name, leave=False, disable=None
                    )
                bar.n = there
                bar.refresh()

        return advance
