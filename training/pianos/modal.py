"""Pianos that were never built: a modal synthesis whose every seed is another instrument.

A struck string is a sum of decaying modes, and the sum is heard through a soundboard that is itself a sum of modes
(commuted synthesis: Smith and Van Duyne, "Commuted piano synthesis", ICMC 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from device.events import KEYS, LOWEST_KEY
from training.pianos.renderer import RATE, Audio, Renderer

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

LEAD_IN = RATE // 1000
"""Samples of silence before the hammer meets the string, for the bank to cut at its own distance from the onset."""
HIGHEST_HZ = 7_800.0
BLOCK = 256
BOARD_S = 0.6
BOARD_MODES = 360
SPREAD_S = 0.8e-3
A4 = 69


@dataclass(frozen=True, slots=True)
class PianoDesign:
    """What makes one piano differ from another.

    `bass_inharmonicity`, `treble_inharmonicity` are added to the logarithms of the two asymptotes of B; `stretch` is
    the octave type kappa in the bass; `unison_cents` the standard deviation of a string's detuning within its unison;
    `sustain` scales every decay time, `aftersound` the imbalance between a unison's strings, `felt_ms` the hammer's
    contact at middle C and velocity 80, `felt_law` how fast that shortens, `dynamics` how fast the level grows,
    `strike` the struck fraction of a bass string, `board_hz` where the soundboard stops radiating below, `tilt_db`
    its slope in dB per octave above 1 kHz, `board_loss` its loss factor, `knock_db` the blow's own sound against a
    middle key's tone, `uneven` the key-to-key spread of the hammers' felt and level.
    """

    bass_inharmonicity: float
    treble_inharmonicity: float
    stretch: float
    unison_cents: float
    sustain: float
    aftersound: float
    felt_ms: float
    felt_law: float
    dynamics: float
    strike: float
    board_hz: float
    tilt_db: float
    board_loss: float
    knock_db: float
    uneven: float

    @classmethod
    def drawn(cls, seed: int) -> PianoDesign:
        """The piano of `seed`: a grand or an upright (odd seeds), anywhere from dull to bright and from new to old."""
        rng = np.random.default_rng([seed, 0])
        upright, old = float(seed % 2), rng.beta(1.0, 1.6)
        return cls(
            bass_inharmonicity=rng.normal(0.45 * upright, 0.2),
            treble_inharmonicity=rng.normal(0, 0.15),
            stretch=rng.uniform(1.5, 3.5),
            unison_cents=0.25 + 1.1 * old,
            sustain=(1.15 - 0.3 * upright) * float(np.exp(rng.normal(0, 0.15))),
            aftersound=rng.uniform(0.1, 0.3) + 0.1 * old,
            felt_ms=float(np.exp(rng.uniform(np.log(1.6), np.log(4.2)))),
            felt_law=rng.uniform(0.4, 0.6),
            dynamics=rng.uniform(0.8, 1.1),
            strike=rng.uniform(0.105, 0.14),
            board_hz=rng.uniform(55, 75) + 20 * upright,
            tilt_db=rng.uniform(-5.0, -0.5),
            board_loss=rng.uniform(0.02, 0.04),
            knock_db=rng.uniform(-31, -23) + 3 * upright + 3 * old,
            uneven=0.3 + old,
        )


def inharmonicity(pitch: float | Floats, design: PianoDesign) -> Floats:
    """B of a string of MIDI `pitch`, in f_n = n f0 sqrt(1 + B n^2).

    Two exponentials, bass and treble bridge, with the mean parameters of Rigaud, David and Daudet, "A parametric model
    and estimation techniques for the inharmonicity and tuning of the piano", J. Acoust. Soc. Am. 133 (2013).
    """
    at = np.asarray(pitch, np.float64)
    bass = np.exp(-8.47e-2 * at - 5.82 + design.bass_inharmonicity)
    return np.asarray(bass + np.exp(9.26e-2 * at - 13.64 + design.treble_inharmonicity))


def first_partials(design: PianoDesign) -> Floats:
    """Hz [88] of the keys' first partials, stretched about A4 = 440 Hz.

    Partial 2 rho of the octave's lower note meets partial rho of its upper one, rho falling from 1 + `stretch` in the
    bass to 1 in the treble (Rigaud et al., 2013, with the tuner's octave shared evenly among its twelve semitones).
    """
    steps = np.arange(LOWEST_KEY, LOWEST_KEY + KEYS - 1) + 0.5
    lower, upper = steps - 6, steps + 6
    rho = 1 + design.stretch / 2 * (1 - np.tanh((steps - 60) / 24))
    below, above = inharmonicity(lower, design), inharmonicity(upper, design)
    octave = 1 + 0.5 * np.log2((1 + below * 4 * rho**2) / (1 + above * rho**2))
    # The law holds between ideal fundamentals f0; the strings' first partials lie a factor sqrt(1 + B) above.
    octave += 0.5 * np.log2((1 + above) / (1 + below))
    height = np.concatenate([[0.0], np.cumsum(octave / 12)])
    return np.asarray(440 * 2 ** (height - height[A4 - LOWEST_KEY]))


def decay_rates(pitch: int, hz: Floats, design: PianoDesign) -> tuple[Floats, Floats]:
    """1/s [partials] of a string alone and of what the bridge takes from a unison that moves as one.

    The string's own rate is b1 + b2 k^2 with wave number k = 2 pi f / c, b2 and c from Bensa et al., "The simulation
    of piano string vibration", J. Acoust. Soc. Am. 114 (2003), table I (C2, C4, C7); b1 and the bridge's share follow
    the second and the first stage of the sampled pianos' decay.
    """
    own = np.exp(np.interp(pitch, [21, 60, 84, 108], np.log([0.28, 0.42, 0.5, 1.0])))
    b2 = np.exp(np.interp(pitch, [36, 60, 96], np.log([7.5e-5, 2.7e-4, 2.1e-3])))
    speed = np.interp(pitch, [36, 60, 96], [160.9, 329.6, 418.6])
    bridge = np.interp(pitch, [21, 48, 60, 72, 84, 108], [0.4, 1.1, 1.4, 2.8, 3.2, 2.8])
    alone = own + 0.45 * b2 * (2 * np.pi * hz / speed) ** 2
    # Bridges take more from the treble of a sound than from its bass.
    return alone / design.sustain, bridge * (1 + hz / 4000) / design.sustain


def _string_count(pitch: int) -> int:
    return 1 if pitch < 32 else 2 if pitch < 44 else 3


def _unison(hz: Floats, alone: Floats, taken: Floats, cents: Floats, struck: Floats) -> tuple[Complexes, Complexes]:
    """Eigenvalues (1/s) and complex weights, both [partials, strings], of strings coupled by the bridge.

    Weinreich, "Coupled piano strings", J. Acoust. Soc. Am. 62 (1977): da/dt = (i delta - alone) a - taken g (g . a),
    with g the same for each string and |g| = 1. What moves the bridge dies fast, what does not lives on, and slightly
    detuned strings beat. `cents` and `struck` (amplitudes) are [strings]; the bridge hears g . a.
    """
    g = np.full(len(cents), 1 / np.sqrt(len(cents)))
    detuned = 2j * np.pi * hz[:, None] * (2 ** (cents / 1200) - 1)
    system = np.eye(len(g)) * (detuned - alone[:, None])[:, None, :] - taken[:, None, None] * np.outer(g, g)
    values, vectors = np.linalg.eig(system)
    share = np.linalg.solve(vectors, np.broadcast_to(struck[:, None].astype(complex), (len(hz), len(g), 1)))[..., 0]
    return values + 2j * np.pi * hz[:, None], np.einsum("k,pkj->pj", g, vectors) * share


def ring(rates: Complexes, weights: Complexes, samples: int) -> Floats:
    """Re sum_j weights_j exp(rates_j t), [samples] at 16 kHz, from two short tables of exponentials."""
    blocks = -(-samples // BLOCK)
    coarse = np.exp(np.outer(np.arange(blocks) * (BLOCK / RATE), rates))
    fine = np.exp(np.outer(rates, np.arange(BLOCK) / RATE))
    # One real product: Re(ab) of two complex matrices is half the work of ab.
    left = coarse * weights
    product = np.hstack([left.real, -left.imag]) @ np.vstack([fine.real, fine.imag])
    return np.asarray(product.reshape(-1)[:samples])


class ModalRenderer(Renderer):
    """The piano of one seed. The same note is the same samples every time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.design = PianoDesign.drawn(seed)
        self.first_partials = first_partials(self.design)
        self._board_of: tuple[int, Floats] | None = None
        rng = np.random.default_rng([seed, 1])
        # A board's modes lie some 20 Hz apart, whatever the frequency.
        self._board_hz = np.sort(rng.uniform(50, HIGHEST_HZ, BOARD_MODES))
        self._formants = rng.uniform(np.log2(80), np.log2(6000), 6), rng.normal(0, 4, 6)
        self._board_gain = rng.normal(0, 1, BOARD_MODES) * self._board_smooth(self._board_hz)
        self._board_turn = rng.uniform(0.3, 1.2, BOARD_MODES) * np.sqrt(self._board_hz / 500)
        self._board_phase = rng.uniform(0, 2 * np.pi, (2, BOARD_MODES))
        self._swell_db = np.interp(np.arange(KEYS), np.linspace(0, KEYS - 1, 9), rng.normal(0, 1.2, 9))

    def _board_smooth(self, hz: Floats) -> Floats:
        """The board's smooth gain: little bass from a small board, rising to 1 kHz, and six random formants."""
        low = (hz / self.design.board_hz) ** 4
        octaves = np.log2(hz / 1000)
        gain_db = np.where(octaves < 0, 1.5, self.design.tilt_db) * octaves
        for centre, height in zip(*self._formants, strict=True):
            gain_db += height * np.exp(-0.5 * ((np.log2(hz) - centre) / 0.4) ** 2)
        return np.asarray(low / (1 + low) * 10 ** (gain_db / 20))

    def _board_modes(self, pitch: int) -> tuple[Complexes, Complexes]:
        """Rates (1/s) and weights, both [modes], of the board where the strings of `pitch` stand on the bridge."""
        place = self._board_phase[0] + self._board_turn * (2 * np.pi * (pitch - LOWEST_KEY) / KEYS)
        weights = self._board_gain * np.cos(place) * np.exp(1j * self._board_phase[1])
        return -self._board_loss(self._board_hz) + 2j * np.pi * self._board_hz, weights

    def _board_loss(self, hz: Floats) -> Floats:
        return np.pi * self.design.board_loss * (hz + 100)

    def _filled(self, pitch: int, hz: Floats) -> Floats:
        """Gains [partials] that halve, in dB, how far the board's dips and peaks depart from its smooth gain.

        The board's response at one point is noise-like; what is heard around a piano is not as ragged. The mean power
        of modes with density d and damping s is d / (2 s) of one mode's, half of that for their places' cosine.
        """
        rates, weights = self._board_modes(pitch)
        response = np.abs((weights / (2j * np.pi * hz[:, None] - rates)).sum(axis=1))
        density = BOARD_MODES / HIGHEST_HZ
        expected = self._board_smooth(hz) * np.sqrt(density / (4 * self._board_loss(hz)))
        return np.asarray(np.sqrt(expected / response))

    def _board(self, pitch: int) -> Floats:
        """The board's impulse response [samples] where the strings of `pitch` stand on the bridge."""
        if self._board_of is None or self._board_of[0] != pitch:
            response = ring(*self._board_modes(pitch), int(BOARD_S * RATE))
            # The blow takes a while to spread over the board.
            response *= 1 - np.exp(-np.arange(len(response)) / (SPREAD_S * RATE))
            self._board_of = pitch, response / np.sqrt((response**2).sum())
        return self._board_of[1]

    def contact_s(self, pitch: int, velocity: int) -> float:
        """How long the hammer of `pitch` stays on its strings.

        4 ms in the bass to well under 1 ms in the treble (Askenfelt and Jansson, "From touch to string vibrations",
        J. Acoust. Soc. Am. 93, 1993), falling as a power of the speed: for felt of force x^p that power is
        (p - 1) / (p + 1). Hammer speed goes as velocity^1.5, a decade and more over the keyboard's range.
        """
        own = np.random.default_rng([self.seed, 2, pitch]).normal(0, 0.1 * self.design.uneven)
        keys = 2 ** (-(pitch - 60) / 50)
        return float(1e-3 * self.design.felt_ms * keys * np.exp(own) * (velocity / 80) ** (-1.5 * self.design.felt_law))

    def strings(self, pitch: int, velocity: int, samples: int) -> Floats:
        """What the strings of `pitch` do to the bridge, [samples] from the blow on."""
        design, rng = self.design, np.random.default_rng([self.seed, 3, pitch])
        b = float(inharmonicity(pitch, design))
        first = self.first_partials[pitch - LOWEST_KEY]
        order = np.arange(1, int(HIGHEST_HZ / first) + 2)
        hz = first * order * np.sqrt((1 + b * order**2) / (1 + b))
        order, hz = order[hz < HIGHEST_HZ], hz[hz < HIGHEST_HZ]
        alone, taken = decay_rates(pitch, hz, design)
        taken = taken * np.exp(rng.normal(0, 0.4, len(hz)))
        count = _string_count(pitch)
        # Tuners go by beats, which the same cents make faster in the treble.
        cents = rng.normal(0, design.unison_cents, count) * float(np.interp(pitch, [60, 108], [1, 0.4]))
        struck = 1 + rng.normal(0, design.aftersound, count)
        rates, weights = _unison(hz, alone, taken, cents - cents.mean(), struck)
        # Sideways motion, which the bridge hardly feels and which lives longest.
        sideways = rng.normal(0, 1, len(hz)) * design.aftersound * np.sqrt(count)
        rates = np.column_stack([rates, -alone + 2j * np.pi * hz * 2 ** (rng.normal(0, 0.3) / 1200)])
        weights = np.column_stack([weights, sideways])
        # A hammer at a fraction of the string leaves out what has a node there; its width keeps the gaps from zero.
        fraction = design.strike * float(np.interp(pitch, [60, 108], [1, 0.55]))
        comb = np.sqrt(np.sin(np.pi * order * fraction) ** 2 + 0.08)
        # The envelope of a half-sine force pulse's spectrum, cos(pi f T) / (1 - (2 f T)^2), and its delay of T / 2; its
        # slope is less by a quarter, for felt that stiffens under the blow makes a pulse with a sharper edge.
        contact = self.contact_s(pitch, velocity)
        blow = (
            comb * self._filled(pitch, hz) / (1 + (2 * hz * contact) ** 2) ** 0.75 * np.exp(-1j * np.pi * hz * contact)
        )
        tone = ring(rates.ravel(), (-1j * blow[:, None] * weights).ravel(), samples)
        rise = min(samples, max(2, int(0.5 * contact * RATE)))
        tone[:rise] *= np.sin(np.pi / 2 * (np.arange(rise) + 1) / (rise + 1))
        return tone

    def knock(self, pitch: int, velocity: int, samples: int) -> Floats:
        """The blow itself as the board gets it, [samples]: a pulse of the hammer, felt noise and the key's landing."""
        rng = np.random.default_rng([self.seed, 4, pitch, velocity])
        time_s = np.arange(min(samples, RATE // 10)) / RATE
        contact = self.contact_s(pitch, velocity)
        pulse = np.where(time_s < contact, np.sin(np.pi * time_s / contact), 0.0)
        noise = rng.normal(0, 1, len(time_s)) * np.exp(-time_s / rng.uniform(0.002, 0.005))
        # Louder blows land the key sooner after the hammer's.
        landing = time_s - rng.uniform(0.3, 1.0) * 0.25 / (20 + velocity)
        thump = np.where(landing > 0, np.exp(-landing / 0.012) * np.sin(2 * np.pi * rng.uniform(60, 140) * landing), 0)
        parts = [0.6 * pulse, 0.7 * noise * np.minimum(1, time_s / 1e-3), 0.5 * thump]
        blow = sum(part * share for part, share in zip(parts, rng.uniform(0.6, 1.4, 3), strict=True))
        out = np.zeros(samples)
        out[: len(time_s)] = blow
        return out

    def level_db(self, pitch: int, velocity: int) -> float:
        """RMS of the first 250 ms of a tone, in dB: even up to C6, 10 dB less at the top, near v^2 over velocities."""
        own = np.random.default_rng([self.seed, 5, pitch]).normal(0, 0.8 * self.design.uneven)
        keys = float(np.interp(pitch, [21, 84, 108], [0, 0, -10])) + self._swell_db[pitch - LOWEST_KEY]
        return float(keys + own + 40 * self.design.dynamics * np.log10(velocity / 127))

    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        samples = int(seconds * RATE) - LEAD_IN
        size = next_fast_len(samples + int(BOARD_S * RATE), real=True)
        board = rfft(self._board(pitch), size)
        tone = irfft(rfft(self.strings(pitch, velocity, samples), size) * board, size)[:samples]
        knock = irfft(rfft(self.knock(pitch, velocity, samples), size) * board, size)[:samples]
        start = RATE // 4
        level = self.level_db(pitch, velocity)
        tone *= 10 ** (level / 20) / np.sqrt((tone[:start] ** 2).mean())
        # The blow grows less than the tone does, and its share is largest where the strings are short.
        knock_db = self.design.knock_db + level - 10 * self.design.dynamics * np.log10(velocity / 80)
        knock_db += float(np.interp(pitch, [21, 60, 108], [-2, 0, 3]))
        knock *= 10 ** (knock_db / 20) / np.sqrt((knock[:start] ** 2).mean())
        return np.concatenate([np.zeros(LEAD_IN), tone + knock]).astype(np.float32)
