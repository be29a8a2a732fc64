"""Runs the self-test of a bundle in a sandbox of systemd. It is at least as tight as that of the service.

Only root can ask systemd for a sandbox. So the small process that stays root does it. See `restart.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys

from device.flash.preflight import CLEAN, MODULE, Ran

SYSTEMD_RUN = "/usr/bin/systemd-run"
SANDBOX = (
    "DynamicUser=yes",
    "DevicePolicy=closed",
    "PrivateDevices=yes",
    "PrivateNetwork=yes",
    "PrivateIPC=yes",
    "IPAddressDeny=any",
    "RestrictAddressFamilies=AF_UNIX",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "KeyringMode=private",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    # no socket at all
    "SystemCallFilter=~@network-io",
    "InaccessiblePaths=-/run/dbus -/run/lefthand -/run/systemd/private",
    "TasksMax=32",
    "MemoryMax=512M",
    "LimitCORE=0",
    "UMask=0077",
    "Nice=10",
    "WorkingDirectory=/",
    f"Environment={' '.join(f'{name}={value}' for name, value in CLEAN.items())}",
)
"""Properties of the unit in which the self-test runs. The account is one that exists only for the test."""
MOST_OUTPUT = 32 * 1024
"""Bytes of the self-test's output that are kept. A good bundle writes less than 1 kB."""
PATIENCE_S = 10.0
"""Seconds that systemd may take longer than the limit."""
_PLAIN = re.compile(r"/[A-Za-z0-9/._-]{1,300}")


def in_sandbox(*program: str, limit_s: float) -> list[str]:
    """Return the command line that runs `program` in the sandbox for at most `limit_s` seconds."""
    properties = [f"--property={one}" for one in (*SANDBOX, f"RuntimeMaxSec={limit_s:g}")]
    return [SYSTEMD_RUN, "--pipe", "--wait", "--collect", "--service-type=exec", *properties, "--", *program]


def self_test(folder: str, slowest: float, limit_s: float) -> Ran:
    """Run the self-test of the bundle in `folder` in the sandbox, and return its result.

    If it takes longer than `limit_s` seconds, the result has no exit status. If the sandbox cannot be made, the exit
    status is 1.
    """
    if not _PLAIN.fullmatch(folder):
        return Ran(1, "exit status 1", f"{folder[:100]} is not a folder of a bundle")
    command = in_sandbox(sys.executable, "-I", "-m", MODULE, folder, str(slowest), limit_s=limit_s)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        return Ran(1, f"{SYSTEMD_RUN} cannot be run, {error.strerror}", "")
    with child:
        assert child.stdout is not None and child.stderr is not None
        try:
            said = child.stdout.read(MOST_OUTPUT).decode("utf-8", "replace")
            child.stdout.close()
            told = child.stderr.read(MOST_OUTPUT).decode("utf-8", "replace")
            child.wait(limit_s + PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return Ran(None, "", said)
    return judged(child.returncode, told, said)


def judged(code: int, told: str, said: str) -> Ran:
    """Return the result of a self-test from what systemd-run reported.

    `code` is the exit status of systemd-run, `told` its text on stderr, and `said` the output of the test.
    """
    result = re.search(r"Finished with result: ([\w-]+)", told)
    if result is None:
        return Ran(1, "systemd gives it no sandbox, " + " ".join(told.split())[-300:], "")
    if result[1] == "timeout":
        return Ran(None, "", said)
    ended = re.search(r"code=(?:killed|dumped)[,/] ?status=(?:\d+/)?([A-Z]+)", told)
    return Ran(code or 1, f"SIG{ended[1]}", said) if ended else Ran(code, f"exit status {code}", said)
