"""The colours of the page: enough contrast to read, and the two hands are told apart by the colour-blind."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from device.page.server import STATIC

CSS = (STATIC / "page.css").read_text(encoding="utf-8")
SCHEMES = ["dark", "light"]
SIGHT = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""Linear RGB as it is seen with a kind of colour blindness: Machado, Oliveira and Fernandes 2009, severity 1."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ @ np.ones(3)
TOLD_APART = 20.0
"""CIE 1976 colour difference. 2.3 can just be seen; two colours this far apart have different names."""
READABLE, VISIBLE = 4.5, 3.0
"""Least contrast of text, and of a shape that means something: WCAG 2.2, 1.4.3 and 1.4.11."""


def colours(scheme: str) -> dict[str, NDArray[np.float64]]:
    """Return the colours of a scheme as linear RGB from 0 to 1, by name."""
    dark, light = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
    )
    named = dark if scheme == "dark" else {**dark, **light}
    return {name: _linear(text) for name, text in named.items()}


def _linear(text: str) -> NDArray[np.float64]:
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    srgb = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ linear, 1e-4) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    light, dark = sorted((float(TO_XYZ[1] @ one), float(TO_XYZ[1] @ other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_heard_played_and_idle_keys_are_told_apart(scheme: str, sight: str) -> None:
    seen = {name: _lab(np.clip(SIGHT[sight] @ colour, 0, 1)) for name, colour in colours(scheme).items()}
    for one, other in itertools.combinations(("heard", "played", "white", "black"), 2):
        assert np.linalg.norm(seen[one] - seen[other]) > TOLD_APART, (one, other)


def test_a_played_key_has_a_mark_too() -> None:
    # so the two hands differ in more than their colour: WCAG 2.2, 1.4.1
    (played,) = re.findall(r"#keys \.played, [^{]*\{([^}]*)\}", CSS)
    assert "inset" in played
    assert "repeating-linear-gradient" in re.findall(r"i\.played \{([^}]*)\}", CSS)[0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_texts_are_readable(scheme: str) -> None:
    found = colours(scheme)
    white = np.ones(3)
    pairs = [(found[text], found[ground]) for text in ("text", "dim") for ground in ("back", "panel")]
    pairs += [(found["text"], found["on"]), (white, found["panic"]), (found["heard"], found["panel"])]
    assert min(contrast(text, ground) for text, ground in pairs) >= READABLE
    shapes = [(found[name], found["back"]) for name in ("heard", "played", "panic")]
    assert min(contrast(shape, ground) for shape, ground in shapes) >= VISIBLE
