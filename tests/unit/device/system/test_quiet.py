"""The lines of libraries written in C that a person at a terminal does not see, and the lines that stay."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from device.bundles.tflite import RuntimeName

ROOT = Path(__file__).parents[4]
LINES = """
import os
from device.system.quiet import without_line

os.write(2, b"before\\n")
try:
    with without_line(b"noise"):
        os.write(2, b"noise\\nERROR: noise of another kind\\n")
        raise ValueError
except ValueError:
    os.write(2, b"after\\nnoise\\n")
"""
OVERLAPS = """
import os, sys, threading
from device.system import quiet

inside = threading.Event()

def outlast():
    with quiet.quiet():
        inside.set()
        first.join()

def overlap():
    with getattr(quiet, sys.argv[1])(*map(os.fsencode, sys.argv[2:])):
        second.start()
        # `without_line` lets the other thread in only at its end
        inside.wait(0.2 if sys.argv[2:] else None)
        os.write(2, b"noise\\n")

first, second = threading.Thread(target=overlap), threading.Thread(target=outlast)
first.start()
first.join()
second.join()
os.write(2, b"after\\n")
"""
LOADS = """
import sys
from device.bundles.tflite import StepModel

StepModel(sys.argv[1], runtime=sys.argv[2])
"""


def on_a_terminal(code: str, *arguments: str) -> list[str]:
    """Return the lines that a program prints to stderr if that is a terminal."""
    ours, its = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, stderr=its, check=True)
        os.write(its, b"END\n")
        printed = b""
        while not printed.endswith(b"END\r\n"):
            printed += os.read(ours, 4096)
    finally:
        os.close(its)
        os.close(ours)
    return printed.decode().splitlines()[:-1]


def test_one_line_is_kept_off_a_terminal_and_all_others_pass() -> None:
    assert on_a_terminal(LINES) == ["before", "ERROR: noise of another kind", "after", "noise"]


def test_a_log_keeps_every_line() -> None:
    ran = subprocess.run([sys.executable, "-c", LINES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == ["before", "noise", "ERROR: noise of another kind", "after", "noise"]


@pytest.mark.parametrize("arguments", [("quiet",), ("without_line", "noise")])
def test_stderr_comes_back_after_blocks_of_two_threads_that_overlap(arguments: tuple[str, ...]) -> None:
    assert on_a_terminal(OVERLAPS, *arguments) == ["after"]


@pytest.mark.parametrize("runtime", ["litert", "tflite"])
def test_a_model_is_loaded_without_a_line_on_the_terminal(runtime: RuntimeName) -> None:
    assert on_a_terminal(LOADS, str(ROOT / "device/bundles/default/transcriber.tflite"), runtime) == []
