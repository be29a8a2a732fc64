"""Runs `lefthand page`, which serves the page for a phone or tablet."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from pathlib import Path

import click

from device.commands.file_path import FilePath
from device.errors import missing_extra
from device.printable import printable
from device.service.journal import log_to_journal_or_stderr
from device.system.paths import PAGE_STATE, page_state_dir, run_dir


@click.command(short_help="Serve the page beside a running box.")
@click.option(
    "--address",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help='Address of this machine to serve at. 127.0.0.1: this machine alone; "0.0.0.0": the whole network too.',
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    default=8080,
    show_default=True,
    help="Port to serve at.",
)
@click.option("--no-code", is_flag=True, help="Let everybody on the network use the page. Only for a closed network.")
@click.option("--code", is_flag=True, help="Print the address and the code, and end. On a box it needs sudo.")
@click.option("--new-code", is_flag=True, help="Make a new code, which ends the access of all browsers, and print it.")
@click.option("--service", is_flag=True, help="Serve on the socket that systemd passes.")
@click.option(
    "--demo",
    type=FilePath(),
    metavar="SOUND",
    help="Start a box that hears this file in a loop, and open its page in the browser. Needs no sound card.",
)
def page(address: str, port: int, no_code: bool, code: bool, new_code: bool, service: bool, demo: Path | None) -> None:
    """Serve the page beside a running `lefthand run --wait`, until Ctrl-C."""
    if no_code and (code or new_code):
        asked = "--new-code" if new_code else "--code"
        raise click.UsageError(f"--no-code serves a page that asks for no code: leave out --no-code or {asked}.")
    from device.page.access import Door, secret_of

    try:
        from device.page.box_link import BoxLink
        from device.page.box_page import become_its_account, run_service
        from device.page.server import application, opened, serve
    except ModuleNotFoundError:
        raise missing_extra("tornado", "page") from None
    if service:
        log_to_journal_or_stderr()
        run_service()
        return
    if code or new_code:
        become_its_account()
        made = secret_of(page_state_dir(), new=new_code).code
        click.echo(_of_the_box(made) if PAGE_STATE.is_dir() else _beside(address, port, made))
        return
    if demo is not None:
        _serve_demo(demo, port)
        return
    secret = None if no_code else secret_of(page_state_dir())
    name = f"{socket.gethostname()}.local" if (host := _only_host(address)) is None else host
    listeners = opened(address, port)
    shown = f"The page is at http://{name}:{port}" + ("" if secret is None else f", its code is {secret.code}")
    click.echo(printable(shown))
    link = BoxLink(run_dir())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(application(Door(secret), link), link, *listeners))


def _serve_demo(demo: Path, port: int) -> None:
    """Start a box that hears the sound file `demo`, and serve its page to this machine at `port` until Ctrl-C."""
    # it imports the engine, which the page alone does not need
    from device.commands.demo_box import demo_box, open_browser
    from device.page.access import Door
    from device.page.box_link import BoxLink
    from device.page.server import application, opened, serve

    with contextlib.suppress(KeyboardInterrupt), demo_box(demo) as folder:
        link = BoxLink(folder)
        shown = f"http://localhost:{port}"
        listeners = opened("127.0.0.1", port)
        click.echo(printable(f"The page is at {shown}. The box hears {demo.name} in a loop. Ctrl-C ends both."))
        open_browser(shown)
        asyncio.run(serve(application(Door(None), link), link, *listeners))


def _only_host(address: str) -> str | None:
    """Return the host, as in a URL, at which a page served at `address` can be opened; None for every address.

    An address in a network is its own host: a name of this machine may mean another of its addresses.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address or None
    if ip.is_unspecified:
        return None
    if str(ip) == "127.0.0.1":
        return "localhost"
    return f"[{ip}]" if ip.version == 6 else str(ip)


def _beside(address: str, port: int, code: str) -> str:
    """Return the text with the access code and the place of the page that `lefthand page` serves at `address`."""
    from device.page.box_page import introduction

    host = _only_host(address)
    if host is None:
        return introduction(port, code)
    return printable(f"The code of the page is {code}. `lefthand page` serves the page at http://{host}:{port}")


def _of_the_box(code: str) -> str:
    """Return the text that a person needs to open the page that the service serves: addresses, access code and QR code.

    If the settings turn the page off, the text says so. Raises ConfigError if the settings [page] cannot be used.
    """
    from device.page.box_page import introduction
    from device.settings.config import DEFAULT_PATH, read_page

    settings = read_page()
    if not settings.enabled:
        return f"The page is not served: [page] enabled is false in {DEFAULT_PATH}."
    return introduction(settings.port, code if settings.code else None)
