"""Decodes the names of the tracks of a MIDI file. The file does not say in which encoding they are.

A name in UTF-8, or in UTF-16 after its mark, is known by its form. All other names of a file are in one encoding, the
likeliest one. A simple model of each script gives the likelihood: the classes of its characters, and the share of the
commonest of them. If no encoding is clearly the likeliest, letters beyond ASCII are replaced by question marks.

General detectors are made for longer texts. Of 114 names of tracks, one at a time, charset-normalizer 3.5 decodes 37
right. chardet 7.7, restricted to the encodings below, decodes 12 wrongly, and its confidence does not show which. The
first version of this model decoded 102 right and 1 wrongly, and left the others open. Of 1,400 sets of three names it
decoded none wrongly, and left 5 open. The rule for signs such as © came later.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from device.printable import printable

CLEAR_BITS = 4.0
"""Base-2 logarithm of the ratio of two likelihoods from which on the likelier encoding is taken."""
UNKNOWN_BITS = -8.3
"""Least mean likelihood of a byte of a letter, as a base-2 logarithm. Below it, the text is in none of the scripts."""
JUDGED_BYTES = 20_000
"""Most bytes of names by which an encoding is judged: it takes 0.05 s. A name that would exceed them is not judged."""
REPLACED = "?"
"""Stands for a letter that cannot be decoded."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""
_BLANK = " \t\r\n\0"
"""Characters that are cut off at both ends of a name."""
_MARK = "\ufeff"
"""Byte order mark of UTF-8 and UTF-16."""
_CUT = ("unexpected end of data", "truncated data")
"""Reasons that Python gives for a text that ends within a character."""
_COMMON_HANZI = frozenset(
    "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日于起还发成"
    "事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿"
    "者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万"
    "市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解"
    "各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条"
    "钢琴右左旋律伴奏吉他贝斯鼓弦乐小提琴笛歌曲主副和声音吹管组唱低高独二胡筝琵琶萨克风圆号轨道谱夜雪梦雨春秋"
)
"""Frequent characters of Chinese text (Da 2005, in part), and those of instruments and parts."""
_COMMON_HANGUL = frozenset(
    "이다는에가을의고하지한로은기도사를리자인나시어아그서대해있라정만일들과수보으게부소스전제와여오우주국니원구장조용성면동상적공마연안선비"
    "것위무생모내않유세경문물신거데까드간반되던할트방말중교러화었았알행분진계실관음려치래식미물체명결방년학본개없때회크같과저더피노른손왼멜디베"
    "타럼올린현악첼플룻램곡합창노멜코반주양"
)
"""Frequent syllables of Korean text, and those of instruments and parts."""
_COMMON_KANJI = frozenset(
    "右左手主旋律伴奏歌声音楽曲琴笛太鼓弦低高打管和副大小一二三四五日月花桜春夏秋冬夜空愛恋風雪君私人生心"
)
"""Kanji of instruments, parts and titles."""
_AFTER_KANA = frozenset("\uff70\uff9e\uff9f")
"""Marks of half the width that stand after a kana only: a long vowel, and the two marks of voiced sounds."""
_PUNCTUATION = frozenset("\u00a1\u00a9\u00aa\u00ab\u00ae\u00b0\u00b4\u00b7\u00ba\u00bb\u00bf–—‘’“”„…•™€")
"""Characters beyond ASCII, other than letters, that are usual in names in Latin letters."""
_OPENING = frozenset("«„“‘’¡¿")
"""Those that stand directly before a letter. The apostrophe stands within words."""
_RARE = -math.inf
"""Base-2 logarithm of the likelihood of a character that has no place in a script."""
_Model = Callable[[str], Iterator[float]]
"""Yields the base-2 logarithm of the likelihood of each character of a text beyond ASCII."""


def names_of(contents: Sequence[bytes]) -> list[str]:
    """Return the texts of all names of a file, without control characters.

    A letter that cannot be decoded is a question mark.
    """
    names = [_unicode_name(content) for content in contents]
    others = [content for content, name in zip(contents, names, strict=True) if name is None]
    encoding = _likeliest(others)
    texts = iter([_decoded(content, encoding) for content in others])
    return [printable((next(texts) if name is None else name).strip(_BLANK)) for name in names]


def _unicode_name(content: bytes) -> str | None:
    """Return the text of a name in UTF-8, or in UTF-16 after its mark. Return None for other names.

    The last character may be cut, because some programs cut a name at a number of bytes.
    """
    encoding = "utf-16" if content[:2] in _UTF_16 else "utf-8"
    try:
        return content.decode(encoding).removeprefix(_MARK)
    except UnicodeDecodeError as error:
        whole = content[: error.start]
        # without another character in UTF-8, the last byte is a letter of another encoding
        is_cut = error.end == len(content) and (encoding == "utf-16" or not whole.isascii())
        return whole.decode(encoding).removeprefix(_MARK) if is_cut and error.reason.endswith(_CUT) else None


def _decoded(content: bytes, encoding: str | None) -> str:
    if encoding is not None:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    return content.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", REPLACED)


def _likeliest(contents: Sequence[bytes]) -> str | None:
    """Return the encoding that is clearly likelier than all others for these names; None if there is none."""
    # each name counts once: a song repeats the names of its instruments
    different, size = [], 0
    for content in dict.fromkeys(contents):
        if size + len(content) <= JUDGED_BYTES:
            different.append(content)
            size += len(content)
    found = sorted(((_likelihood(different, encoding), encoding) for encoding in _MODELS), reverse=True)
    (best, encoding), (second, _) = found[:2]
    return encoding if best > -math.inf and best - second >= CLEAR_BITS else None


def _likelihood(contents: Sequence[bytes], encoding: str) -> float:
    """Return the base-2 logarithm of the likelihood of these names in `encoding`; minus infinity if it is impossible.

    ASCII characters count nothing, unless they are the second byte of a character of two bytes.
    """
    try:
        texts = [content.decode(encoding) for content in contents]
    except UnicodeDecodeError:
        return -math.inf
    bits = sum(sum(_MODELS[encoding](text)) for text in texts)
    size = sum(map(len, contents)) - sum(letter.isascii() for text in texts for letter in text)
    return bits + _PRIOR_BITS.get(encoding, 0.0) if bits >= UNKNOWN_BITS * size else -math.inf


def _beyond_ascii(text: str) -> Iterator[tuple[str, str]]:
    """Yield each character beyond ASCII, and the two characters beside it, which are spaces at the ends."""
    around = f" {text} "
    return ((letter, around[at] + around[at + 2]) for at, letter in enumerate(text) if not letter.isascii())


def _is_in_word(beside: str) -> bool:
    """Return whether a character between these two is part of a word in ASCII letters."""
    return any(letter.isascii() and letter.isalpha() for letter in beside)


def _bits(share: float, characters: int) -> float:
    """Return the base-2 logarithm of the likelihood of one of so many characters, which have `share` of a text."""
    return math.log2(share / characters)


def _western(text: str) -> Iterator[float]:
    """Judge a text in Latin letters: letters with accents stand beside plain letters, or are words like "à"."""
    for character, beside in _beyond_ascii(text):
        if character in _PUNCTUATION:
            # only a bracket stands directly before a letter, and two such characters seldom stand side by side
            is_odd = (beside[1].isalpha() and character not in _OPENING) or not _PUNCTUATION.isdisjoint(beside)
            yield _bits(0.0005 if is_odd else 0.1, len(_PUNCTUATION))
        elif not ("\xc0" <= character <= "\xff" or character in "ŠšŽžŸŒœ") or not character.isalpha():
            yield _RARE
        elif _is_in_word(beside):
            yield _bits(0.6, 60)
        else:
            yield _bits(0.2 if not beside.strip(" '’") else 0.01, 60)


def _cyrillic(text: str) -> Iterator[float]:
    """Judge a text in Cyrillic letters: capitals stand at the beginning of words, or everywhere."""
    for character, beside in _beyond_ascii(text):
        before = beside[0].strip()
        if not "А" <= character <= "я" and character not in "Ёё№":
            yield _RARE
        elif _is_in_word(beside):
            yield _bits(0.0001, 33)
        elif not beside.strip() and any(letter.isascii() and letter.isalpha() for letter in text):
            yield _bits(0.02, 33)
        elif before.isalpha() and not before.isupper() and character.isupper():
            yield _bits(0.002, 33)
        elif character in "ЪъЬьЫы" and not before:
            yield _bits(0.001, 3)
        else:
            yield _bits(0.5, 33)


def _japanese(text: str) -> Iterator[float]:
    for character, beside in _beyond_ascii(text):
        lead = character.encode("shift_jis", "replace")[0]
        if "\uff61" <= character <= "\uff9f":  # a kana of half the width
            if _is_in_word(beside) or (character in _AFTER_KANA and beside[0].isascii()):
                yield _RARE
            else:
                yield _bits(0.003 if beside.isascii() else 0.3, 63)
        elif "\u3041" <= character <= "\u30fe":
            yield _bits(0.5, 170)
        elif character in _COMMON_KANJI:
            yield _bits(0.2, len(_COMMON_KANJI))
        elif 0x88 <= lead <= 0x98 and unicodedata.category(character) == "Lo":  # a kanji of level 1
            yield _bits(0.25, 2965)
        else:
            yield _bits(0.02, 3500) if lead < 0x88 else _bits(0.005, 3390)


def _chinese(text: str) -> Iterator[float]:
    for character, _ in _beyond_ascii(text):
        lead = character.encode("gb2312", "replace")[0]
        if character in _COMMON_HANZI:
            yield _bits(0.7, len(_COMMON_HANZI))
        elif 0xB0 <= lead <= 0xD7:  # level 1
            yield _bits(0.27, 3755 - len(_COMMON_HANZI))
        else:
            yield _bits(0.005, 700) if lead < 0xB0 else _bits(0.01, 3008)


def _traditional(text: str) -> Iterator[float]:
    for character, _ in _beyond_ascii(text):
        lead = character.encode("big5", "replace")[0]
        # frequent characters have few strokes and come first
        common = 0.6 if 0xA4 <= lead <= 0xB0 else 0.38 if lead <= 0xC6 else 0.01
        yield _bits(common, 2000 if 0xA4 <= lead <= 0xB0 else 3400) if lead >= 0xA4 else _bits(0.01, 400)


def _korean(text: str) -> Iterator[float]:
    for character, _ in _beyond_ascii(text):
        if character in _COMMON_HANGUL:
            yield _bits(0.75, len(_COMMON_HANGUL))
        elif character.encode("euc_kr", "ignore") and "\uac00" <= character <= "\ud7a3":
            yield _bits(0.23, 2350 - len(_COMMON_HANGUL))
        else:
            yield _bits(0.01, 4888) if character.encode("euc_kr", "ignore") else _bits(0.001, 8822)


_MODELS: dict[str, _Model] = {
    "cp1252": _western,
    "cp932": _japanese,
    "gbk": _chinese,
    "big5": _traditional,
    "cp949": _korean,
    "cp1251": _cyrillic,
    "koi8-r": _cyrillic,
}
"""The model of each encoding that is tried."""
_PRIOR_BITS = {"cp1252": 3.0, "koi8-r": -3.0}
"""Base-2 logarithm of how much more usual an encoding is in MIDI files than the others."""
