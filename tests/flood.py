"""Floods the page and the control socket of a box that plays, and looks whether the box notices.

    python -m tests.flood [--seconds N] [--seed N]

The box is a real one that hears the demo recording in real time. It is started again for each part, so that each row
of the table has its own times. The exit status is 1 if the box has lost a hop or ended, if the page does not answer
after a part, or if the 99th percentile of the time of a hop or of the lateness of a message is more than MOST_SLOWER
times that of the quiet part, or if the page without a browser takes more than MOST_IDLE_MIB or MOST_IDLE_SHARE.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from demo_site import DemoSite, until  # noqa: E402

from device.control.protocol import SOCKET  # noqa: E402

SECONDS = 20.0
REQUESTS_A_SECOND = 1000
CONNECTIONS = 16
SLOW_CLIENTS = 300
MALFORMED = 10_000
MOST_SHORT_S = 1.0
"""Seconds by which the counted hops may be behind the clock: the age of the status file, and a pause of the machine."""
MOST_SLOWER = 1.5
"""Largest share of a percentile of a part in that of the quiet part of the same run."""
FINEST_MS = {"hop": 0.05, "lateness": 0.1}
"""Milliseconds by which two percentiles may differ for no reason: the bin of the hop times, and the time in which a
thread of highest priority wakes up."""
MOST_IDLE_MIB = 40.0
"""MiB of resident memory of the page without a browser."""
MOST_IDLE_SHARE = 0.02
"""Share of one core that the page takes without a browser, beside a box that plays."""
Flood = Callable[[DemoSite, float, Random], Awaitable[str]]


@dataclass(frozen=True)
class Row:
    """Holds the action of one part, and the state of the box at its end.

    Times are in ms. `short_s` is the missing hops in seconds.
    """

    part: str
    did: str
    hops: int
    short_s: float
    xruns: int
    hop_p99_ms: float
    send_p99_ms: float | None
    answers: bool

    @property
    def good(self) -> bool:
        return self.xruns == 0 and self.short_s < MOST_SHORT_S and self.answers

    def slower(self, quiet: Row) -> list[str]:
        """Return a sentence for each percentile that is too high beside that of the quiet part."""
        pairs = {"hop": (self.hop_p99_ms, quiet.hop_p99_ms), "lateness": (self.send_p99_ms, quiet.send_p99_ms)}
        return [
            f"{self.part}: {name} p99 is {now:.2f} ms, in the quiet part {before:.2f} ms"
            for name, (now, before) in pairs.items()
            if now is not None and before is not None and now > MOST_SLOWER * before + FINEST_MS[name]
        ]

    def line(self) -> str:
        sent = "-" if self.send_p99_ms is None else f"{self.send_p99_ms:.2f}"
        return (
            f"| {self.part} | {self.did} | {self.hops} | {self.xruns} | {self.hop_p99_ms:.2f} | {sent} | "
            f"{'yes' if self.answers else 'NO'} |"
        )


HEAD = """| part | what came | hops | lost input | hop p99, ms | lateness p99, ms | page answers after it |
|---|---|---|---|---|---|---|"""


async def quiet(site: DemoSite, seconds: float, random: Random) -> str:
    """Nothing."""
    await asyncio.sleep(seconds)
    return "nothing"


async def requests(site: DemoSite, seconds: float, random: Random) -> str:
    """REQUESTS_A_SECOND whole requests on CONNECTIONS connections that stay open."""
    host = f"Host: localhost:{site.port}\r\n"
    order = '{"do": "dance"}'
    cookie = f"Cookie: lefthand={site.cookie}\r\n"
    texts = [
        f"GET / HTTP/1.1\r\n{host}\r\n",
        f"GET /page.js HTTP/1.1\r\n{host}\r\n",
        f"POST /order HTTP/1.1\r\n{host}{cookie}Origin: http://localhost:{site.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(order)}\r\n\r\n{order}",
        f"POST /login HTTP/1.1\r\n{host}Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{{}}",
    ]
    sent = answered = 0
    end_s = time.monotonic() + seconds

    async def one(number: int) -> None:
        nonlocal sent, answered
        pause_s = CONNECTIONS / REQUESTS_A_SECOND
        due_s = time.monotonic() + pause_s * number / CONNECTIONS
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)

        async def count() -> None:
            nonlocal answered
            while data := await reader.read(65536):
                answered += data.count(b"HTTP/1.1 ")

        counting = asyncio.create_task(count())
        while time.monotonic() < end_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            writer.write(texts[sent % len(texts)].encode())
            sent += 1
            due_s += pause_s
            with contextlib.suppress(asyncio.TimeoutError, OSError):
                await asyncio.wait_for(writer.drain(), 1.0)
        counting.cancel()
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)), return_exceptions=True)
    return f"{sent / seconds:.0f} requests a second, {answered} of {sent} answered"


async def slow_loris(site: DemoSite, seconds: float, random: Random) -> str:
    """SLOW_CLIENTS connections that each send one byte a second of a request."""
    ended = 0

    async def one() -> None:
        nonlocal ended
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        try:
            for letter in "GET / HTTP/1.1\r\nHost: " + "x" * int(seconds):
                writer.write(letter.encode())
                await writer.drain()
                await asyncio.sleep(1.0)
        except OSError:
            ended += 1
        finally:
            writer.close()

    clients = asyncio.gather(*(one() for _ in range(SLOW_CLIENTS)), return_exceptions=True)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(clients, seconds)
    return f"{SLOW_CLIENTS} clients that send a byte a second, {ended} disconnected"


def mutated(random: Random, texts: list[bytes]) -> bytes:
    """One of the texts with some bytes changed, cut or repeated, or random bytes alone."""
    data = (
        bytearray(random.choice(texts))
        if random.random() < 0.8
        else bytearray(random.randbytes(random.randint(1, 400)))
    )
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(data)) if data else 0
        kind = random.randrange(3)
        if kind == 0 and data:
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at : at + random.randint(1, 20)]
        else:
            data[at:at] = data[: random.randint(0, 40)]
    return bytes(data)


async def malformed_requests(site: DemoSite, seconds: float, random: Random) -> str:
    """MALFORMED mutated requests, each on a connection of its own."""
    host, origin = f"Host: localhost:{site.port}\r\n", f"Origin: http://localhost:{site.port}\r\n"
    texts = [
        f"GET /stream HTTP/1.1\r\n{host}Cookie: lefthand={'0' * 64}\r\n\r\n".encode(),
        f"POST /login HTTP/1.1\r\n{host}{origin}Content-Type: application/json\r\nContent-Length: 18\r\n\r\n"
        f'{{"code": "123456"}}'.encode(),
        f"POST /order HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n".encode(),
    ]

    async def one() -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(mutated(random, texts))
            await asyncio.wait_for(reader.read(100), 0.05)
            writer.close()

    return await _many(one, 50, "requests")


async def malformed_messages(site: DemoSite, seconds: float, random: Random) -> str:
    """MALFORMED mutated lines at the control socket, ten on each connection."""
    texts = [b'{"id": 1, "set": {"play": {"style": "bass"}}}\n', b'{"id": 2, "do": "hold", "value": false}\n',
             b'{"id": 3, "watch": true}\n', b'{"id": 4, "look": "ports"}\n', b"[" * 9000 + b"\n"]  # fmt: skip

    async def one() -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_unix_connection(str(site.run / SOCKET))
            writer.write(b"\n".join(mutated(random, texts) for _ in range(10)) + b"\n")
            await asyncio.wait_for(reader.read(100), 0.05)
            writer.close()

    return await _many(one, 8, "lines", 10)


async def _many(one: Callable[[], Awaitable[None]], at_once: int, name: str, each: int = 1) -> str:
    done = 0
    while done < MALFORMED:
        await asyncio.gather(*(one() for _ in range(at_once)))
        done += at_once * each
    return f"{done} malformed {name}"


async def stopped(site: DemoSite, seconds: float, random: Random) -> str:
    """The page's process stands still, with a browser's stream open."""
    assert site.page is not None
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET /stream HTTP/1.1\r\nHost: localhost\r\nCookie: lefthand={site.cookie}\r\n\r\n".encode())
    await asyncio.sleep(0.5)
    site.page.send_signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    site.page.send_signal(signal.SIGCONT)
    writer.close()
    return "the page's process stands still (SIGSTOP)"


PARTS: dict[str, Flood] = {
    "quiet": quiet,
    "requests": requests,
    "slow-loris": slow_loris,
    "malformed requests": malformed_requests,
    "malformed messages": malformed_messages,
    "stopped page": stopped,
}


def row_of(part: str, seconds: float, seed: int = 1) -> Row:
    """Run one part in front of a new box and a new page."""
    with tempfile.TemporaryDirectory() as folder, DemoSite(Path(folder)) as site:
        site.until(lambda status: status.state == "playing" and status.hop.count > 50, "the demo plays")
        began_s, before = time.monotonic(), site.until(lambda status: True, "a status")
        did = asyncio.run(PARTS[part](site, seconds, Random(seed)))
        passed_s, after = time.monotonic() - began_s, site.until(lambda status: True, "a status")
        assert site.box is not None and site.box.poll() is None, "the box has ended"
        hops = after.hop.count - before.hop.count
        short_s = passed_s - hops * after.hop.length_ms / 1e3
        try:
            until(lambda: asyncio.run(_answers(site)), "the page answers")
            answers = True
        except AssertionError:
            answers = False
        return Row(
            part,
            did,
            hops,
            short_s,
            after.audio.xruns - before.audio.xruns,
            after.hop.p99_ms,
            after.send_p99_ms,
            answers,
        )


async def _answers(site: DemoSite) -> bool:
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(15), 5.0)
        writer.close()
        return answer == b"HTTP/1.1 200 OK"
    return False


@dataclass(frozen=True)
class Idle:
    """The resident memory of a page without a browser in MiB, and the share of a core that it takes."""

    mib: float
    share: float

    def line(self) -> str:
        return f"The page without a browser: {self.mib:.1f} MiB resident, {100 * self.share:.2f} % of a core."


def idle(seconds: float) -> Idle:
    """Measure a page without a browser, beside a box that plays."""
    with tempfile.TemporaryDirectory() as folder, DemoSite(Path(folder)) as site:
        site.until(lambda status: status.state == "playing", "the demo plays")
        assert site.page is not None
        pid, began_s, before_s = site.page.pid, time.monotonic(), _cpu_s(site.page.pid)
        time.sleep(seconds)
        share = (_cpu_s(pid) - before_s) / (time.monotonic() - began_s)
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        return Idle(kilobytes / 1024, share)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=SECONDS, help="length of each part")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    print(HEAD)
    rows = []
    for part in PARTS:
        rows.append(row_of(part, given.seconds, given.seed))
        print(rows[-1].line(), flush=True)
    slower = [sentence for row in rows for sentence in row.slower(rows[0])]
    print("\n".join(slower or [f"No percentile is more than {MOST_SLOWER:g} times that of the quiet part."]))
    alone = idle(given.seconds)
    print(alone.line())
    small = alone.mib <= MOST_IDLE_MIB and alone.share <= MOST_IDLE_SHARE
    sys.exit(0 if all(row.good for row in rows) and not slower and small else 1)


if __name__ == "__main__":
    main()
