"""Reads the chorales of music21's corpus as sequences of tokens, and describes the corpus in figures and pictures.

A token is a note, a chord or a rest. A chorale becomes one token for each moment at which any of its parts begins or
ends a note, as in the blog post that the document follows (S. Skuli, "How to Generate Music using a LSTM Neural
Network in Keras", 2017).
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError

PADDING = "padding"
"""Token that fills a sequence up to the length of the longest one. The loss ignores it. Its number is 0."""
UNKNOWN = "other"
"""Token of a chord that is too rare for the vocabulary. Its number is 1. The net never chooses it."""
REST = "rest"
NAMES = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
KEPT = (5, 95)
"""Percentiles of the lengths of all chorales. A chorale that is shorter or longer than these is not used in the fit."""
METRE = "4/4"
"""Only chorales in this metre throughout are used in the fit."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Chorale4:
    """Holds a chorale: its notes and its metres.

    `notes` is [n, 4]: part from the bass up, onset and duration in quarter notes, MIDI pitch.
    """

    notes: Array
    metres: str

    @property
    def quarters(self) -> int:
        """Return the length in quarter notes, rounded up. A chorale without notes has length 0."""
        return math.ceil((self.notes[:, 1] + self.notes[:, 2]).max()) if len(self.notes) else 0

    def moments(self) -> list[tuple[int, ...]]:
        """Return what sounds after each moment at which a note begins or ends.

        There is one tuple of MIDI pitches for each moment, the lowest pitch first.
        """
        on, off, pitch = self.notes[:, 1], self.notes[:, 1] + self.notes[:, 2], self.notes[:, 3].astype(int)
        edges = np.unique(np.concatenate([on, off]).round(6))[:-1]
        return [tuple(sorted(set(pitch[(on <= at + 1e-6) & (off > at + 1e-6)].tolist()))) for at in edges]


def read_chorales(cache: Path) -> list[Chorale4]:
    """Return all chorales of music21's corpus. The first call parses them for two minutes and stores them in `cache`.

    Raises UserError if music21 is not installed.
    """
    path = cache / "steps" / "bach-chorales.npz"
    if not path.exists():
        found = _parse()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("wb") as file:
            np.savez_compressed(
                file,
                notes=np.concatenate([c.notes for c in found]),
                lengths=np.array([len(c.notes) for c in found]),
                metres=np.array([c.metres for c in found]),
            )
        temporary.replace(path)
    with np.load(path) as data:
        parts = np.split(data["notes"], np.cumsum(data["lengths"])[:-1])
        return [Chorale4(notes, str(metres)) for notes, metres in zip(parts, data["metres"], strict=True)]


def _parse() -> list[Chorale4]:
    try:
        from music21 import corpus
    except ImportError:
        raise UserError("The chorales come with music21: install the extra, pip install 'lefthand[train]'.") from None
    found = []
    for score in tqdm(corpus.chorales.Iterator(), desc="chorales"):
        times = list(score.recurse().getElementsByClass("TimeSignature"))
        rows = [
            (number, float(n.offset), float(n.quarterLength), int(n.pitches[-1].midi))
            for number, part in enumerate(reversed(score.parts))
            for n in part.flatten().notes
            if n.quarterLength > 0
        ]
        metres = " ".join(sorted({time.ratioString for time in times}))
        found.append(Chorale4(np.array(rows, np.float64).reshape(-1, 4), metres))
    return found


def token_of(pitches: tuple[int, ...]) -> str:
    """Return the token of the MIDI pitches that sound: `rest`, a note (`C4`), or a chord's pitch classes (`0.4.7`).

    The first pitch class of a chord is its lowest note, and the others follow in ascending order from there.
    """
    if not pitches:
        return REST
    if len(pitches) == 1:
        return f"{NAMES[pitches[0] % 12]}{pitches[0] // 12 - 1}"
    bass = min(pitches) % 12
    above = sorted({(pitch - bass) % 12 for pitch in pitches})
    return ".".join(str((bass + step) % 12) for step in above)


@dataclass(frozen=True)
class Vocabulary:
    """Holds all tokens, ordered by their numbers, and for each token its most frequent MIDI pitches in the corpus."""

    tokens: list[str]
    pitches: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, found: list[Chorale4], most: int) -> Vocabulary:
        """Return the vocabulary of the chorales `found`: `PADDING`, `UNKNOWN` and the `most` - 2 commonest tokens."""
        count: Counter[str] = Counter()
        voicings: dict[str, Counter[tuple[int, ...]]] = {}
        for chorale in found:
            for pitches in chorale.moments():
                token = token_of(pitches)
                count[token] += 1
                voicings.setdefault(token, Counter())[pitches] += 1
        kept = [token for token, _ in sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))][: most - 2]
        return cls([PADDING, UNKNOWN, *kept], {token: voicings[token].most_common(1)[0][0] for token in kept})

    def numbers(self, chorale: Chorale4) -> Array:
        """Return the token numbers of a chorale, int32 [moments]. A token outside the vocabulary has number 1."""
        at = {token: number for number, token in enumerate(self.tokens)}
        return np.array([at.get(token_of(pitches), 1) for pitches in chorale.moments()], np.int32)


@dataclass(frozen=True)
class CorpusChoice:
    """Holds the chorales of the fit, their least and greatest length in quarters, and two sizes of the net.

    `sequence` is the number of tokens in a sequence. `embedding` is the width of the embedding.
    """

    kept: list[Chorale4]
    least_quarters: int
    most_quarters: int
    sequence: int
    embedding: int


def choose(found: list[Chorale4], tokens: int) -> CorpusChoice:
    """Choose the chorales of the fit: in 4/4, and neither among the shortest nor among the longest twentieth.

    The sequence is as long as the longest of them. The width of the embedding is the fourth root of the number of
    tokens, rounded up (a rule of thumb from Google's developers' blog, "Introducing TensorFlow Feature Columns", 2017).
    Raises UserError if no chorale is in 4/4.
    """
    four = [chorale for chorale in found if chorale.metres == METRE]
    if not four:
        raise UserError(f"No chorale is in {METRE}: the corpus has {len(found)} chorales.")
    lengths = [chorale.quarters for chorale in four]
    least, most = (int(np.percentile(lengths, p)) for p in KEPT)
    kept = [chorale for chorale in four if least <= chorale.quarters <= most]
    sequence = max(len(chorale.moments()) for chorale in kept)
    return CorpusChoice(kept, least, most, sequence, math.ceil(tokens**0.25))


def described(found: list[Chorale4], choice: CorpusChoice, all_tokens: Counter[str]) -> str:
    """Return the figures of the corpus as text: metres, lengths, vocabulary, and the sizes of the net."""
    metres = Counter(chorale.metres for chorale in found)
    lengths = np.array([chorale.quarters for chorale in found])
    total, notes = sum(all_tokens.values()), sum("." not in t and t != REST for t in all_tokens)
    rows = sorted(all_tokens.values(), reverse=True)
    half = int(np.searchsorted(np.cumsum(rows), total / 2)) + 1
    once = sum(count == 1 for count in rows)
    return "\n".join(
        [
            f"{len(found)} chorales; metres: {', '.join(f'{m or None} {n}' for m, n in metres.most_common())}",
            f"length in quarters: {lengths.min()} to {lengths.max()}, median {np.median(lengths):.0f}",
            f"in the fit: {len(choice.kept)} in {METRE}, {choice.least_quarters} to {choice.most_quarters} quarters "
            f"(percentiles {KEPT[0]} and {KEPT[1]})",
            f"vocabulary: {len(all_tokens)} tokens in {total} events: {notes} notes, {len(all_tokens) - notes - 1} "
            f"chords and the rest; {half} tokens are half of all events, {once} occur once",
            f"so: sequences of {choice.sequence} events, shorter ones are padded; an embedding of {choice.embedding} "
            f"(fourth root of {len(all_tokens)}, rounded up)",
        ]
    )


def count_tokens(found: list[Chorale4]) -> Counter[str]:
    """Return how often each token occurs in the chorales `found`."""
    return Counter(token_of(pitches) for chorale in found for pitches in chorale.moments())


def drawn(found: list[Chorale4], choice: CorpusChoice, all_tokens: Counter[str]) -> Callable[[Any], None]:
    """Return a function that draws the corpus: lengths, metres, and how often each token occurs, by rank.

    The function gets a figure of matplotlib and draws three diagrams in it.
    """

    def draw(figure: Any) -> None:
        lengths, metres, ranks = figure.subplots(1, 3)
        lengths.hist([chorale.quarters for chorale in found], bins=30)
        for edge in (choice.least_quarters, choice.most_quarters):
            lengths.axvline(edge, color="black", lw=0.8)
        lengths.set(xlabel="quarters", ylabel="chorales", title="lengths; kept between the lines")
        common = Counter(chorale.metres for chorale in found).most_common(6)
        metres.bar([name or "none" for name, _ in common], [count for _, count in common])
        metres.set(title="metres", ylabel="chorales")
        metres.tick_params(axis="x", rotation=45)
        ranks.loglog(1 + np.arange(len(all_tokens)), sorted(all_tokens.values(), reverse=True))
        ranks.set(xlabel="rank", ylabel="events", title="vocabulary")

    return draw
