"""Names the kinds of files that hold music but neither MIDI nor sound that can be read, and says what to do with each.

Scores of notation programs, projects of music programs and archives are often handed over by mistake, sometimes under
the name .mid. A sentence about `ffmpeg` or about a damaged MIDI file would lead their owner astray.
"""

from __future__ import annotations

import binascii
import re
import shlex
import zipfile
import zlib
from pathlib import Path

from device.printable import is_plain_text

_LOOKED_AT = 4096
"""Bytes at the beginning of a file that are looked at. The root element of a score in XML lies within them."""
_EXPORT = "export it from its program as a MIDI file (.mid)"
_UNPACK = "unpack it and give the .mid, .wav or .flac file in it"
_LINKED = "give the file to which it refers"
_OTHERWISE = "give the music as a MIDI file or as sound"
_SOUND = "export its sound from that program as a WAV file (.wav)"
_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"SMF2CLIP", "a MIDI 2.0 clip", "export it as a MIDI file of type 0 or 1 (.mid)"),
    (b"SMF2CON1", "a MIDI 2.0 container", "export it as a MIDI file of type 0 or 1 (.mid)"),
    (b"SQLite format 3\0", "a database, such as an Audacity project", _SOUND),
    (b"cap3-v:", "a Capella score", _EXPORT),
    (b"OVSC", "an Overture score", _EXPORT),
    (b"\x00\x15\x00T\x00u\x00x\x00G\x00u\x00i\x00t\x00a\x00r", "a TuxGuitar score", _EXPORT),
    (b"MMMD\x00", "a ringtone (SMAF)", _OTHERWISE),
    (b"melo\x00", "a ringtone (MLD)", _OTHERWISE),
    (b"BEGIN:IMELODY", "a ringtone (iMelody)", _OTHERWISE),
    (b"MUS\x1a", "the music of a game", "convert it to a MIDI file of type 0 or 1 (.mid)"),
    (b"CTMF", "the music of a game", "convert it to a MIDI file of type 0 or 1 (.mid)"),
    (b"Extended Module: ", "a song of a tracker", _OTHERWISE),
    (b"IMPM", "a song of a tracker", _OTHERWISE),
    (b"BCFZ", "a Guitar Pro score", _EXPORT),
    (b"BCFS", "a Guitar Pro score", _EXPORT),
    (b"ENIGMA BINARY FILE", "a Finale score", _EXPORT),
    (b"\x0fSIBELIUS", "a Sibelius score", _EXPORT),
    (b"FLhd", "an FL Studio project", _EXPORT),
    (b"\x23\x47\xc0\xab", "a Logic project", _EXPORT),
    (b"CAKEWALK", "a Cakewalk project", _EXPORT),
    (b"<REAPER_PROJECT", "a Reaper project", _EXPORT),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"BZh", "a compressed file", _UNPACK),
    (b"\xfd7zXZ\x00", "a compressed file", _UNPACK),
    (b"\x00\x05\x16\x07", "a note that macOS keeps beside a file", "give the file of this name without ._"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "a shortcut of Windows", _LINKED),
    (b"[InternetShortcut]", "a link", _LINKED),
    (b"bplist00", "a link or a list of macOS", _LINKED),
    (b"#EXTM3U", "a playlist", _LINKED),
    (b"[playlist]", "a playlist", _LINKED),
    (b"[Desktop Entry]", "a link", _LINKED),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"[NoteWorthy ArtWare]", "a NoteWorthy score", _EXPORT),
    (b"!NoteWorthyComposer", "a NoteWorthy score", _EXPORT),
    (b"[NWZ]", "a NoteWorthy score", _EXPORT),
    (b"SCOW", "an Encore score", _EXPORT),
    (b"SCO5", "an Encore score", _EXPORT),
    (b"ptab", "a Power Tab score", _EXPORT),
    (b"BtWg", "a Bitwig project", _EXPORT),
    (b"\xfe\x00\x00COM-ESEQ", "a song of a Disklavier (E-SEQ)", "save it at the piano as a MIDI file (.mid)"),
    (b"\x28\xb5\x2f\xfd", "a compressed file", _UNPACK),
    (b"\x04\x22\x4d\x18", "a compressed file", _UNPACK),
    (b"\x1f\x9d", "a compressed file", _UNPACK),
    (b"SIT!", "a StuffIt archive", _UNPACK),
    (b"StuffIt (c)", "a StuffIt archive", _UNPACK),
    (b"MSCF", "a Windows cabinet", _UNPACK),
    (b"(This file must be converted with BinHex", "a file in the encoding BinHex", _UNPACK),
    (b"=ybegin ", "a file in the encoding yEnc", "decode it, and give the file that was in it"),
    (b"-----BEGIN PGP ", "an encrypted file", "decrypt it, and give the file that was in it"),
    (b"%PDF-", "a PDF document", _OTHERWISE),
    (b"%!PS-", "a PostScript document", _OTHERWISE),
    (b"{\\rtf", "a text document", _OTHERWISE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program", _OTHERWISE),
    (b"\x89PNG\r\n\x1a\n", "a picture", _OTHERWISE),
    (b"\xff\xd8\xff", "a picture", _OTHERWISE),
    (b"GIF8", "a picture", _OTHERWISE),
    (b"II*\x00", "a picture", _OTHERWISE),
    (b"MM\x00*", "a picture", _OTHERWISE),
)
"""First bytes of a file, what the file is, and the remedy. In a text, large and small letters are the same."""
_FORMS: tuple[tuple[bytes, str, str], ...] = (
    (b"RIFF....CDDA", "a shortcut to a track of a CD", "copy the track from the CD as a .wav or .flac file"),
    (b"RIFF....NUND", "a Cubase project", _EXPORT),
    (b"RIFF....sfbk", "a soundfont", _OTHERWISE),
    (b"RIFF....WEBP", "a picture", _OTHERWISE),
    (b"FORM....XDIR", "an XMI file of a game", "convert it to a MIDI file of type 0 or 1 (.mid)"),
    (b"....ftyp(heic|heix|mif1|msf1|avif)", "a picture", _OTHERWISE),
    (b"..-l[hz][0-9s]-", "an LHA archive", _UNPACK),
)
"""First bytes of a file as a pattern, what the file is, and the remedy."""
_IN_XML: tuple[tuple[str, str, str], ...] = (
    ("<score-partwise", "a MusicXML score", _EXPORT),
    ("<score-timewise", "a MusicXML score", _EXPORT),
    ("<musescore", "a MuseScore score", _EXPORT),
    ("http://audacity.sourceforge.net/", "an Audacity project", _SOUND),
    ("<lmms-project", "an LMMS project", _EXPORT),
    ("<session version=", "an Ardour session", _EXPORT),
    ("<synthesiametadata", "a list of Synthesia", _LINKED),
    ("<ableton", "an Ableton Live set", _EXPORT),
    ("<mei", "an MEI score", _EXPORT),
    ("<playlist", "a playlist", _LINKED),
    ("<asx", "a playlist", _LINKED),
    ("<smil", "a playlist", _LINKED),
    ("<plist", "a link or a list of macOS", _LINKED),
    ("<html", "a web page", "download the file itself again"),
    ("<!doctype html", "a web page", "download the file itself again"),
    ("<?xml", "an XML file", _EXPORT),
)
"""Text near the beginning of a text file in small letters, what the file is, and the remedy. The first that fits."""
_IN_ZIP: tuple[tuple[str, str, str], ...] = (
    (r".*\.mscx", "a MuseScore score", _EXPORT),
    (r"Content/score\.gpif", "a Guitar Pro score", _EXPORT),
    (r"(word|xl|ppt)/.*\.xml|content\.xml", "a document of an office program", _OTHERWISE),
    (r"score\.dat", "a Finale score", _EXPORT),
    (r".*\.dtn", "a Dorico score", _EXPORT),
    (r"META-INF/container\.xml", "a MusicXML score", _EXPORT),
    (r"score\.xml|supportingdata/.*|score/.*\.json", "a score of a notation program", _EXPORT),
    (r"project\.xml", "a project of a music program", _EXPORT),
    (r"(Song/)?song\.xml", "a Studio One project", _EXPORT),
)
"""Name of a file in a ZIP archive that belongs to a program, what the archive is, and the remedy."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""First bytes of a ZIP archive: of one with a file, of an empty one, and of the first of several parts."""
_IN_WORDS: tuple[tuple[bytes, str, str], ...] = (
    (b"MThd", "a MIDI file", ".mid"),
    (b"RIFF", "a WAV file", ".wav"),
    (b"fLaC", "a FLAC file", ".flac"),
    (b"OggS", "an Ogg file", ".ogg"),
    (b"ID3", "an MP3 file", ".mp3"),
)
"""First bytes of a file that was written as text, what the file is, and the end of its name."""
_SYSEX = re.compile(rb"\xf0[\x00-\x7f]{3,}(\xf7|\Z)")
"""A message of the kind "system exclusive", whole or longer than what is looked at."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+")
_DUMP = re.compile(rb"0+: +([0-9A-Fa-f ]+)")
"""First line of the program xxd: the place in the file, then the bytes."""
_FIELD = rb"[A-Za-z][A-Za-z0-9-]*:[^\n]*\n([ \t][^\n]*\n)*"
_MAIL = re.compile(
    rb"(From (- |\S+@)[^\n]*\n)?(" + _FIELD + rb")*?"
    rb"((Received|Return-Path|Delivered-To|MIME-Version|Message-ID|From|To|Subject): |Content-\S+: )"
    rb"|From (- |\S+@)",
    re.IGNORECASE,
)
"""First lines of a mail or of a part of one (RFC 5322, RFC 2045): fields, one of which every mail or part may have."""
_UUENCODED = re.compile(rb"begin(-base64|-base64-encoded)? [0-7]{3,4} ")
"""First line of a file in the encoding uuencode, in its old or its new form (POSIX)."""
_NAMES = re.compile(
    rb"(#[^\n]*\n\s*)*[^\n#\0]{1,300}\.(wav|flac|mp3|ogg|opus|m4a|aac|aiff?|wma|midi?)[ \t]*(\r?\n|$)", re.IGNORECASE
)
"""First lines of a playlist that has no header: the name of a file."""
_CUE = re.compile(rb"(.*\n)*?[ \t]*FILE \"[^\n]*\" (WAVE|MP3|AIFF|BINARY|MOTOROLA|FLAC)\b")
"""First lines of a cue sheet, up to the name of its sound."""
_GUITAR_PRO = re.compile(rb".FICHIER GUITAR PRO", re.DOTALL)
_ABC = re.compile(rb"(%abc[-\s]|X: ?[0-9]+\s)")


def foreign_kind(path: Path) -> str | None:
    """Return the end of a sentence about the file at `path`, such as "is a MuseScore score: export it …".

    Return None if the file is not of a kind that is listed here. Only the beginning decides, not the name. Raises
    OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
    text = _plain(head)
    for begin, what, remedy in _HEADS:
        if head.startswith(begin) or text[: len(begin)].lower() == begin.lower():
            return f"is {what}: {remedy}."
    if _GUITAR_PRO.match(head):
        return f"is a Guitar Pro score: {_EXPORT}."
    if _ABC.match(text):
        return f"is a score in ABC notation: {_EXPORT}."
    if head.startswith(b"XMF_") and b"MThd" not in head:
        return f"is an XMF file, whose music is compressed: {_EXPORT}."
    if (form := foreign_form(head)) is not None:
        return form
    if _SYSEX.match(head) and b"MThd" not in head:
        return f"is a dump of the settings of an instrument (.syx): {_OTHERWISE}."
    if head.startswith(_ZIP):
        return _in_zip(path)
    if head[257:262] == b"ustar":
        return f"is a TAR archive: {_UNPACK}."
    if head.startswith(b"\x1f\x8b"):
        return _in_text(_plain(_unzipped(head)).decode(errors="replace")) or f"is a compressed file: {_UNPACK}."
    return _in_text(text.decode(errors="replace")) or _as_text(text, path)


def foreign_form(head: bytes) -> str | None:
    """Return the end of a sentence about a file that begins as a container of sound does, and holds something else.

    `head` holds at least 12 bytes, or the whole file. Return None for every other file.
    """
    for form, what, remedy in _FORMS:
        if re.match(form, head, re.DOTALL):
            return f"is {what}: {remedy}."
    return None


def is_text(path: Path) -> bool:
    """Return whether the file at `path` begins with nothing but text, in UTF-8 or, after its mark, in UTF-16."""
    with path.open("rb") as file:
        return is_plain_text(_plain(file.read(_LOOKED_AT)).decode(errors="replace"))


def _plain(head: bytes) -> bytes:
    """Return the beginning of a text in UTF-8, without a byte order mark and without blanks before its first word.

    Of a file that is no text, it may be anything.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", errors="replace").encode()
    elif head[:4] in (b"<\0?\0", b"\0<\0?"):  # an XML file in UTF-16 without its mark
        head = head.decode("utf-16-le" if head[1] == 0 else "utf-16-be", errors="replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()


def _as_text(text: bytes, path: Path) -> str | None:
    """Return the end of a sentence about a mail, a list of files, or a file whose bytes were written as text.

    `text` is the beginning of the file at `path`. Return None for other files.
    """
    if b"\0" in text:
        return None
    if _MAIL.match(text):
        return "is a mail: save the file that is attached to it, and give that file."
    if _UUENCODED.match(text):
        return f"is a file in the encoding uuencode, as in a mail: decode it with `uudecode {shlex.quote(str(path))}`."
    if _NAMES.match(text):
        return f"is a playlist: {_LINKED}."
    if _CUE.match(text):
        return f"is a cue sheet: {_LINKED}."
    if not text.isascii():
        return None
    line = b"".join(text.split(maxsplit=40)[:40])
    dump = _DUMP.match(text)
    tries = (
        (_from_base64(line), "base64", "base64 -di"),
        (_from_hex(line), "hexadecimal digits", "xxd -r -p"),
        (_from_hex(dump[1].replace(b" ", b"") if dump else b""), "a listing of bytes", "xxd -r"),
    )
    for content, encoding, command in tries:
        for begin, what, suffix in _IN_WORDS:
            if content.startswith(begin):
                out = shlex.quote(str(path.with_name(f"{path.stem}-decoded{suffix}")))
                words = f"`{command} {shlex.quote(str(path))} > {out}`"
                return f"is {what} that was written as text ({encoding}), as in a mail: decode it with {words}."
    return None


def _from_base64(text: bytes) -> bytes:
    """Return the first bytes that `text` means in base64; nothing if it begins with no base64."""
    found = _BASE64.match(text)
    return binascii.a2b_base64(found[0][: len(found[0]) // 4 * 4]) if found else b""


def _from_hex(text: bytes) -> bytes:
    """Return the first bytes that `text` means in hexadecimal digits; nothing if it is no such text."""
    try:
        return bytes.fromhex(text[:16].decode())
    except ValueError:
        return b""


def _in_text(text: str) -> str | None:
    """Return the end of a sentence about a file that begins with `text`; None if it is not such a text."""
    text = text.lower()
    if text.startswith("<"):
        for mark, what, remedy in _IN_XML:
            if mark in text:
                return f"is {what}: {remedy}."
    return None


def _in_zip(path: Path) -> str:
    """Return the end of a sentence about the ZIP archive at `path`."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, UnicodeDecodeError, RuntimeError):
        # the list of its files is cut, has a name that is no text, or asks for a later version of ZIP (a RuntimeError)
        return "is a ZIP archive whose list of files cannot be read: copy or download it again."
    if not names:
        return "is an empty ZIP archive: copy or download it again."
    for form, what, remedy in _IN_ZIP:
        if any(re.fullmatch(form, name) for name in names):
            return f"is {what}: {remedy}."
    return f"is a ZIP archive: {_UNPACK}."


def _unzipped(head: bytes) -> bytes:
    """Return the first bytes of a file in gzip format that begins with `head`; nothing if it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _LOOKED_AT)
    except zlib.error:
        return b""
