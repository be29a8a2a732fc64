"""Computes the sound of pianos by modal synthesis. Every seed (a number) gives a different piano.

A struck string is a sum of decaying modes. A soundboard, which is also a sum of modes, filters it (commuted synthesis:
Smith and Van Duyne, "Commuted piano synthesis", ICMC 1995).
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
"""Samples of silence (1 ms) before the hammer meets the string. The bank cuts them off at its own onset."""
HIGHEST_HZ = 7_800.0
"""Highest frequency in Hz of a partial or board mode; half the sample rate is 8000 Hz."""
BLOCK = 256
"""Samples of a block in `ring`."""
BOARD_S = 0.6
"""Seconds of the soundboard's impulse response."""
BOARD_MODES = 360
"""Number of the soundboard's modes."""
SPREAD_S = 0.8e-3
"""Time constant in seconds with which a blow spreads over the soundboard."""
A4 = 69
"""MIDI pitch of A4."""


@dataclass(frozen=True, slots=True)
class PianoDesign:
    """The parameters of one computed piano.

    - `bass_inharmonicity`, `treble_inharmonicity`: added to the logarithms of the two asymptotes of the inharmonicity B
      (see `inharmonicity`).
    - `stretch`: the octave type kappa in the bass.
    - `unison_cents`: standard deviation of a string's detuning within its unison.
    - `sustain`: factor of every decay time. `aftersound`: imbalance between the strings of a unison.
    - `felt_ms`: time of the hammer on the string at middle C and velocity 80. `felt_law`: how fast that time shortens
      with velocity. `dynamics`: how fast the level grows with velocity.
    - `strike`: the hammer's position as a fraction of a bass string's length.
    - `board_hz`: the soundboard radiates little below this frequency. `tilt_db`: its slope in dB per octave above 1
      kHz. `board_loss`: its loss factor.
    - `knock_db`: level of the blow's own noise in dB relative to the tone of a middle key.
    - `uneven`: spread of the hammers' felt and level from key to key.
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
        """Return the random piano of `seed`, dull or bright, new or old. Even seeds are grands, odd seeds uprights."""
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
    """Return the inharmonicity B of the strings of MIDI `pitch`: how much a string's stiffness raises its partials.

    Partial n has the frequency f_n = n f0 sqrt(1 + B n^2). B is the sum of two exponentials, for bass and treble
    bridge. The mean parameters are from Rigaud, David and Daudet, "A parametric model and estimation techniques for the
    inharmonicity and tuning of the piano", J. Acoust. Soc. Am. 133 (2013).
    """
    at = np.asarray(pitch, np.float64)
    bass = np.exp(-8.47e-2 * at - 5.82 + design.bass_inharmonicity)
    return np.asarray(bass + np.exp(9.26e-2 * at - 13.64 + design.treble_inharmonicity))


def first_partials(design: PianoDesign) -> Floats:
    """Return the frequency of the first partial (the lowest component of the sound) of each key, in Hz [88].

    A4 has 440 Hz. Octaves are tuned slightly wide: partial number 2 rho of the lower key has the frequency of partial
    rho of the upper key. rho falls from 1 + `stretch` in the bass to 1 in the treble (Rigaud et al., 2013). The octave
    is divided evenly into twelve semitones.
    """
    steps = np.arange(LOWEST_KEY, LOWEST_KEY + KEYS - 1) + 0.5
    lower, upper = steps - 6, steps + 6
    rho = 1 + design.stretch / 2 * (1 - np.tanh((steps - 60) / 24))
    below, above = inharmonicity(lower, design), inharmonicity(upper, design)
    octave = 1 + 0.5 * np.log2((1 + below * 4 * rho**2) / (1 + above * rho**2))
    # The law holds for the ideal fundamentals f0. The first partials are higher by a factor sqrt(1 + B).
    octave += 0.5 * np.log2((1 + above) / (1 + below))
    height = np.concatenate([[0.0], np.cumsum(octave / 12)])
    return np.asarray(440 * 2 ** (height - height[A4 - LOWEST_KEY]))


def decay_rates(pitch: int, hz: Floats, design: PianoDesign) -> tuple[Floats, Floats]:
    """Return two decay rates in 1/s, each [partials]: of a string alone, and the loss of its unison into the bridge.

    The string's own rate is b1 + b2 k^2 with wave number k = 2 pi f / c. b2 and c are from Bensa et al., "The
    simulation of piano string vibration", J. Acoust. Soc. Am. 114 (2003), table I (C2, C4, C7). b1 and the bridge's
    share follow the second and the first stage of the sampled pianos' decay. The second rate holds for strings that
    move together.
    """
    own = np.exp(np.interp(pitch, [21, 60, 84, 108], np.log([0.28, 0.42, 0.5, 1.0])))
    b2 = np.exp(np.interp(pitch, [36, 60, 96], np.log([7.5e-5, 2.7e-4, 2.1e-3])))
    speed = np.interp(pitch, [36, 60, 96], [160.9, 329.6, 418.6])
    bridge = np.interp(pitch, [21, 48, 60, 72, 84, 108], [0.4, 1.1, 1.4, 2.8, 3.2, 2.8])
    alone = own + 0.45 * b2 * (2 * np.pi * hz / speed) ** 2
    # The loss into the bridge grows with frequency.
    return alone / design.sustain, bridge * (1 + hz / 4000) / design.sustain


def _string_count(pitch: int) -> int:
    return 1 if pitch < 32 else 2 if pitch < 44 else 3


def _unison(hz: Floats, alone: Floats, taken: Floats, cents: Floats, struck: Floats) -> tuple[Complexes, Complexes]:
    """Return eigenvalues (1/s) and complex weights, both [partials, strings], of strings coupled by the bridge.

    Weinreich, "Coupled piano strings", J. Acoust. Soc. Am. 62 (1977): da/dt = (i delta - alone) a - taken g (g . a),
    with g the same for each string and |g| = 1. Motion that moves the bridge decays fast, other motion decays slowly,
    and slightly detuned strings beat. `cents` and `struck` (amplitudes) are [strings]. The bridge receives g . a.
    """
    g = np.full(len(cents), 1 / np.sqrt(len(cents)))
    detuned = 2j * np.pi * hz[:, None] * (2 ** (cents / 1200) - 1)
    system = np.eye(len(g)) * (detuned - alone[:, None])[:, None, :] - taken[:, None, None] * np.outer(g, g)
    values, vectors = np.linalg.eig(system)
    share = np.linalg.solve(vectors, np.broadcast_to(struck[:, None].astype(complex), (len(hz), len(g), 1)))[..., 0]
    return values + 2j * np.pi * hz[:, None], np.einsum("k,pkj->pj", g, vectors) * share


def ring(rates: Complexes, weights: Complexes, samples: int) -> Floats:
    """Return a sum of decaying oscillations: Re sum_j weights_j exp(rates_j t), float64 [samples] at 16 kHz.

    `rates` are complex, in 1/s. The sum is computed from two short tables of exponentials.
    """
    blocks = -(-samples // BLOCK)
    coarse = np.exp(np.outer(np.arange(blocks) * (BLOCK / RATE), rates))
    fine = np.exp(np.outer(rates, np.arange(BLOCK) / RATE))
    # Only Re(ab) of the two complex matrices is needed. One real product computes it with half the work of ab.
    left = coarse * weights
    product = np.hstack([left.real, -left.imag]) @ np.vstack([fine.real, fine.imag])
    return np.asarray(product.reshape(-1)[:samples])


class ModalRenderer(Renderer):
    """Renders the notes of the computed piano of one seed. The same note always has the same samples."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.design = PianoDesign.drawn(seed)
        self.first_partials = first_partials(self.design)
        self._board_of: tuple[int, Floats] | None = None
        rng = np.random.default_rng([seed, 1])
        # A soundboard's modes are about 20 Hz apart at all frequencies.
        self._board_hz = np.sort(rng.uniform(50, HIGHEST_HZ, BOARD_MODES))
        self._formants = rng.uniform(np.log2(80), np.log2(6000), 6), rng.normal(0, 4, 6)
        self._board_gain = rng.normal(0, 1, BOARD_MODES) * self._board_smooth(self._board_hz)
        self._board_turn = rng.uniform(0.3, 1.2, BOARD_MODES) * np.sqrt(self._board_hz / 500)
        self._board_phase = rng.uniform(0, 2 * np.pi, (2, BOARD_MODES))
        self._swell_db = np.interp(np.arange(KEYS), np.linspace(0, KEYS - 1, 9), rng.normal(0, 1.2, 9))

    def _board_smooth(self, hz: Floats) -> Floats:
        """Return the board's smooth gain: a high-pass at `board_hz`, a rise up to 1 kHz, and six random formants."""
        low = (hz / self.design.board_hz) ** 4
        octaves = np.log2(hz / 1000)
        gain_db = np.where(octaves < 0, 1.5, self.design.tilt_db) * octaves
        for centre, height in zip(*self._formants, strict=True):
            gain_db += height * np.exp(-0.5 * ((np.log2(hz) - centre) / 0.4) ** 2)
        return np.asarray(low / (1 + low) * 10 ** (gain_db / 20))

    def _board_modes(self, pitch: int) -> tuple[Complexes, Complexes]:
        """Return rates (1/s) and weights, both [modes], of the board at the strings of `pitch`."""
        place = self._board_phase[0] + self._board_turn * (2 * np.pi * (pitch - LOWEST_KEY) / KEYS)
        weights = self._board_gain * np.cos(place) * np.exp(1j * self._board_phase[1])
        return -self._board_loss(self._board_hz) + 2j * np.pi * self._board_hz, weights

    def _board_loss(self, hz: Floats) -> Floats:
        return np.pi * self.design.board_loss * (hz + 100)

    def _filled(self, pitch: int, hz: Floats) -> Floats:
        """Return gains [partials] that halve the board's dips and peaks, in dB relative to its smooth gain.

        The board's response at one point is noise-like; the sound around a piano is smoother. The mean power of modes
        with density d and damping s is d / (2 s) of one mode's power. The cosine of the modes' positions halves it.
        """
        rates, weights = self._board_modes(pitch)
        response = np.abs((weights / (2j * np.pi * hz[:, None] - rates)).sum(axis=1))
        density = BOARD_MODES / HIGHEST_HZ
        expected = self._board_smooth(hz) * np.sqrt(density / (4 * self._board_loss(hz)))
        return np.asarray(np.sqrt(expected / response))

    def _board(self, pitch: int) -> Floats:
        """Return the board's impulse response [samples] at the strings of `pitch`."""
        if self._board_of is None or self._board_of[0] != pitch:
            response = ring(*self._board_modes(pitch), int(BOARD_S * RATE))
            # The blow needs some time to spread over the board.
            response *= 1 - np.exp(-np.arange(len(response)) / (SPREAD_S * RATE))
            self._board_of = pitch, response / np.sqrt((response**2).sum())
        return self._board_of[1]

    def contact_s(self, pitch: int, velocity: int) -> float:
        """Return the time in seconds for which the hammer of `pitch` stays on its strings.

        It is 4 ms in the bass and well under 1 ms in the treble (Askenfelt and Jansson, "From touch to string
        vibrations", J. Acoust. Soc. Am. 93, 1993). It falls as a power of the hammer's speed: for felt of force x^p
        that power is (p - 1) / (p + 1). The hammer's speed is proportional to velocity^1.5, which is more than a factor
        of 10 over the range of velocities.
        """
        own = np.random.default_rng([self.seed, 2, pitch]).normal(0, 0.1 * self.design.uneven)
        keys = 2 ** (-(pitch - 60) / 50)
        return float(1e-3 * self.design.felt_ms * keys * np.exp(own) * (velocity / 80) ** (-1.5 * self.design.felt_law))

    def strings(self, pitch: int, velocity: int, samples: int) -> Floats:
        """Return the force of the strings of `pitch` on the bridge, [samples] from the blow on."""
        design, rng = self.design, np.random.default_rng([self.seed, 3, pitch])
        b = float(inharmonicity(pitch, design))
        first = self.first_partials[pitch - LOWEST_KEY]
        order = np.arange(1, int(HIGHEST_HZ / first) + 2)
        hz = first * order * np.sqrt((1 + b * order**2) / (1 + b))
        order, hz = order[hz < HIGHEST_HZ], hz[hz < HIGHEST_HZ]
        alone, taken = decay_rates(pitch, hz, design)
        taken = taken * np.exp(rng.normal(0, 0.4, len(hz)))
        count = _string_count(pitch)
        # Tuners listen to beats. The same detuning in cents makes faster beats in the treble.
        cents = rng.normal(0, design.unison_cents, count) * float(np.interp(pitch, [60, 108], [1, 0.4]))
        struck = 1 + rng.normal(0, design.aftersound, count)
        rates, weights = _unison(hz, alone, taken, cents - cents.mean(), struck)
        # Sideways motion of the strings: it hardly moves the bridge, so it decays slowest.
        sideways = rng.normal(0, 1, len(hz)) * design.aftersound * np.sqrt(count)
        rates = np.column_stack([rates, -alone + 2j * np.pi * hz * 2 ** (rng.normal(0, 0.3) / 1200)])
        weights = np.column_stack([weights, sideways])
        # The hammer does not excite partials with a node at its position. Its width keeps those gaps above zero.
        fraction = design.strike * float(np.interp(pitch, [60, 108], [1, 0.55]))
        comb = np.sqrt(np.sin(np.pi * order * fraction) ** 2 + 0.08)
        # The envelope of the spectrum of a half-sine force pulse, cos(pi f T) / (1 - (2 f T)^2), and its delay of
        # T / 2. The slope is a quarter less, because felt stiffens under the blow and makes a sharper pulse.
        contact = self.contact_s(pitch, velocity)
        blow = (
            comb * self._filled(pitch, hz) / (1 + (2 * hz * contact) ** 2) ** 0.75 * np.exp(-1j * np.pi * hz * contact)
        )
        tone = ring(rates.ravel(), (-1j * blow[:, None] * weights).ravel(), samples)
        rise = min(samples, max(2, int(0.5 * contact * RATE)))
        tone[:rise] *= np.sin(np.pi / 2 * (np.arange(rise) + 1) / (rise + 1))
        return tone

    def knock(self, pitch: int, velocity: int, samples: int) -> Floats:
        """Return the blow's own force on the board, [samples]: hammer pulse, felt noise and the landing of the key."""
        rng = np.random.default_rng([self.seed, 4, pitch, velocity])
        time_s = np.arange(min(samples, RATE // 10)) / RATE
        contact = self.contact_s(pitch, velocity)
        pulse = np.where(time_s < contact, np.sin(np.pi * time_s / contact), 0.0)
        noise = rng.normal(0, 1, len(time_s)) * np.exp(-time_s / rng.uniform(0.002, 0.005))
        # The key lands sooner after a louder blow.
        landing = time_s - rng.uniform(0.3, 1.0) * 0.25 / (20 + velocity)
        thump = np.where(landing > 0, np.exp(-landing / 0.012) * np.sin(2 * np.pi * rng.uniform(60, 140) * landing), 0)
        parts = [0.6 * pulse, 0.7 * noise * np.minimum(1, time_s / 1e-3), 0.5 * thump]
        blow = sum(part * share for part, share in zip(parts, rng.uniform(0.6, 1.4, 3), strict=True))
        out = np.zeros(samples)
        out[: len(time_s)] = blow
        return out

    def level_db(self, pitch: int, velocity: int) -> float:
        """Return the RMS of a tone's first 250 ms, in dB.

        It is even up to C6 and 10 dB less at the top. Over velocities the amplitude is about proportional to v^2.
        """
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
        # The blow grows less with velocity than the tone does. Its share is largest for short strings.
        knock_db = self.design.knock_db + level - 10 * self.design.dynamics * np.log10(velocity / 80)
        knock_db += float(np.interp(pitch, [21, 60, 108], [-2, 0, 3]))
        knock *= 10 ** (knock_db / 20) / np.sqrt((knock[:start] ** 2).mean())
        return np.concatenate([np.zeros(LEAD_IN), tone + knock]).astype(np.float32)
