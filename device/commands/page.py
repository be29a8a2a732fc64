"""`lefthand page`: the page for a phone or tablet."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import click

from device.errors import missing_extra
from device.system.paths import run_dir, state_dir


@click.command()
@click.option("--address", default="127.0.0.1", show_default=True, help='Address to serve at; "0.0.0.0" is all.')
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port to serve at.")
@click.option("--no-code", is_flag=True, help="Let everybody on the network use the page. Only for a closed network.")
@click.option("--code", is_flag=True, help="Print the code and end.")
@click.option("--new-code", is_flag=True, help="Make a new code, which ends the access of all browsers, and print it.")
def page(address: str, port: int, no_code: bool, code: bool, new_code: bool) -> None:
    """Serve the page beside a running `lefthand run --wait`, until Ctrl-C."""
    from device.page.access import Door, secret_of

    if code or new_code:
        click.echo(secret_of(state_dir(), new=new_code).code)
        return
    try:
        from device.page.box_link import BoxLink
        from device.page.server import application, serve
    except ModuleNotFoundError:
        raise missing_extra("tornado", "page") from None
    secret = None if no_code else secret_of(state_dir())
    name = "localhost" if address.startswith("127.") else f"{socket.gethostname()}.local"
    click.echo(f"The page is at http://{name}:{port}" + ("" if secret is None else f", its code is {secret.code}"))
    link = BoxLink(run_dir())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(application(Door(secret), link), link, address, port))
