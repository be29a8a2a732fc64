"""Files that are neither MIDI nor sound, under any name, are named for what they are."""

from __future__ import annotations

import base64
import gzip
import io
import re
import shlex
import zipfile
import zlib
from pathlib import Path

import pytest

from device.errors import UserError
from device.files.foreign_kinds import foreign_kind
from device.files.input_kind import is_midi
from device.files.midi.file import read_midi
from tests.unit.helpers.midi_bytes import clean

XML = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//x">\n<score-partwise version="4.0">'


def zipped(*names: str, content: bytes = b"content") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


KINDS = {
    "MIDI 2.0 clip": b"SMF2CLIP" + bytes(40),
    "MusicXML score": XML.encode(),
    "MusicXML score in UTF-16": XML.replace("UTF-8", "UTF-16").encode("utf-16"),
    "MusicXML score in a ZIP": zipped("META-INF/container.xml", "score.musicxml"),
    "MuseScore score": zipped("META-INF/container.xml", "my.mscx"),
    "MuseScore score in XML": b'<?xml version="1.0"?>\n<museScore version="4.20">',
    "Guitar Pro score": zipped("Content/score.gpif"),
    "Guitar Pro score of version 5": b"\x18FICHIER GUITAR PRO v5.10" + bytes(40),
    "Guitar Pro score of version 6": b"BCFZ" + bytes(40),
    "Sibelius score": b"\x0fSIBELIUS" + bytes(40),
    "Finale score": b"ENIGMA BINARY FILE" + bytes(40),
    "Ableton Live set": gzip.compress(b'<?xml version="1.0"?>\n<Ableton MajorVersion="5">'),
    "score in ABC notation": b"X:1\nT:A tune\nK:C\nCDEF|\n",
    "ZIP archive": zipped("song.mid"),
    "ZIP archive of an Ogg": zipped("song.ogg", content=b"OggS\0\x02" + bytes(40)),
    "MuseScore score with an Ogg": zipped("my.mscx", "audio.ogg", content=b"OggS\0\x02" + bytes(40)),
    "TAR archive": b"song.wav".ljust(257, b"\0") + b"ustar  \0".ljust(255, b"\0") + b"RIFF\0\0\0\0WAVE",
    "compressed file": gzip.compress(clean()),
    "compressed file that is cut": gzip.compress(clean())[:5],
    "note that macOS keeps": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ",
    "shortcut of Windows": b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(40),
    "link": b"[InternetShortcut]\r\nURL=file:///a.mid\r\n",
    "link or a list of macOS": b"bplist00\xd1\x01\x02SURL",
    "playlist": b"#EXTM3U\na.mp3\n",
    "playlist with a mark": b"\xef\xbb\xbf#EXTM3U\r\na.mp3\r\n",
    "playlist in UTF-16": "[playlist]\nFile1=a.mp3\n".encode("utf-16"),
    "playlist in UTF-16 of the other order": b"\xfe\xff" + "#EXTM3U\na.mp3\n".encode("utf-16-be"),
    "playlist in small letters after a blank line": b"\n#extm3u\na.mp3\n",
    "playlist of names alone": b"# mine\n\nMusic/a song.mp3\nb.mp3\n",
    "playlist with names in another encoding": "für.mp3\n".encode("latin-1"),
    "playlist in XML": b'<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/">',
    "cue sheet": b'REM DATE 2024\r\nTITLE "a"\r\nFILE "a.wav" WAVE\r\n',
    "link of a desktop": b"[Desktop Entry]\nType=Link\nURL=file:///a.mid\n",
    "link with a mark": b"\xef\xbb\xbf[internetshortcut]\nurl=file:///a.mid\n",
    "score in ABC notation in UTF-16": "X:1\nT:A tune\nK:C\nCDEF|\n".encode("utf-16"),
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "PDF document": b"%PDF-1.7\n",
    "PostScript document": b"%!PS-Adobe-3.0\n",
    "text document": b"{\\rtf1 a tune}",
    "document of an office program": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "document of an office program in a ZIP": zipped("[Content_Types].xml", "word/document.xml"),
    "document of an office program in a ZIP of another": zipped("mimetype", "content.xml", "META-INF/container.xml"),
    "picture": b"\xff\xd8\xff\xdb" + bytes(40),
    "picture of a phone": b"\0\0\0\x18ftypheic" + bytes(40),
    "picture in a RIFF": b"RIFF\x20\0\0\0WEBPVP8 " + bytes(40),
    "picture of a scanner": b"II*\0" + bytes(40),
    "NoteWorthy score": b"[NoteWorthy ArtWare]\0\0\0" + bytes(40),
    "Encore score": b"SCOW" + bytes(40),
    "Power Tab score": b"ptab\4\0" + bytes(40),
    "score of a notation program in a ZIP": zipped("score.xml"),
    "Studio One project in a ZIP": zipped("metainfo.xml", "Song/song.xml"),
    "Bitwig project": b"BtWg0003" + bytes(40),
    "Cubase project": b"RIFF\x20\0\0\0NUND" + bytes(40),
    "song of a Disklavier": b"\xfe\0\0COM-ESEQ" + bytes(80),
    "dump of the settings of an instrument": b"\xf0\x43\x00\x09\x20\x00" + bytes(80) + b"\xf7",
    "soundfont": b"RIFF\x20\0\0\0sfbkLIST" + bytes(40),
    "shortcut to a track of a CD": b"RIFF\x24\0\0\0CDDAfmt \x18" + bytes(30),
    "XMI file of a game": b"FORM\0\0\0\x0eXDIRINFO" + bytes(40),
    "StuffIt archive": b"StuffIt (c)1997-" + bytes(40),
    "LHA archive": b"\x20\x20-lh5-" + bytes(40),
    "Windows cabinet": b"MSCF" + bytes(40),
    "empty ZIP archive": b"PK\5\6" + bytes(18),
    "compressed file of Zstandard": b"\x28\xb5\x2f\xfd" + bytes(40),
    "file in the encoding yEnc": b"=ybegin line=128 size=9 name=a.mid\r\n",
    "file in the encoding BinHex": b"(This file must be converted with BinHex 4.0)\n:",
    "encrypted file": b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n",
    "MIDI 2.0 container": b"SMF2CON1" + bytes(40),
    "MusicXML score in UTF-16 without its mark": XML.replace("UTF-8", "UTF-16").encode("utf-16-le"),
    "MusicXML score in UTF-16 of the other order": XML.replace("UTF-8", "UTF-16").encode("utf-16-be"),
    "Dorico score": zipped("META-INF/container.xml", "score.dtn"),
    "Finale score in a ZIP": zipped("mimetype", "META-INF/container.xml", "score.dat"),
    "Capella score": b"cap3-v:149" + bytes(40),
    "Overture score": b"OVSC" + bytes(40),
    "TuxGuitar score": b"\x00\x15" + "TuxGuitar File Format".encode("utf-16-be"),
    "database": b"SQLite format 3\0" + bytes(40),
    "Audacity project": b'<?xml version="1.0"?>\n<project xmlns="http://audacity.sourceforge.net/xml/" version="1.3">',
    "LMMS project": b'<?xml version="1.0"?>\n<!DOCTYPE lmms-project>\n<lmms-project version="1.0">',
    "Ardour session": b'<?xml version="1.0" encoding="UTF-8"?>\n<Session version="7003" name="a">',
    "list of Synthesia": b'<?xml version="1.0"?>\n<SynthesiaMetadata Version="1">',
    "project of a music program in a ZIP": zipped("project.xml", "metadata.xml"),
    "ringtone": b"MMMD" + bytes(40),
    "ringtone of a phone": b"melo" + (512).to_bytes(4, "big") + bytes(40),
    "song of a tracker": b"Extended Module: a tune" + bytes(40),
    "music of a game": b"MUS\x1a" + bytes(40),
    "web page": b"\n<!DOCTYPE html><html>MThd</html>",
}


@pytest.mark.parametrize("name", ["a.mid", "a.wav", "a.mscz", "a"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_neither_midi_nor_sound_is_named_with_a_remedy(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(KINDS[kind])
    what = re.split(" in UTF| in a | in XML| in small| of| with", kind)[0]
    remedy = "(export|unpack|give|down|fetch|save|copy|convert|decode|decrypt)"
    with pytest.raises(UserError, match=f"{name} is (an?|the) {what.partition(' that')[0]}.*: .*{remedy}"):
        is_midi(path)


AS_TEXT = {
    "base64 -di": base64.encodebytes(clean()),
    "base64 -di, on one line": b"\xef\xbb\xbf" + base64.b64encode(clean()) + b"\r\n",
    "xxd -r -p": clean().hex(" ").encode(),
    "xxd -r -p, in groups of four, large letters": clean().hex(" ", 4).upper().encode(),
    "xxd -r": b"00000000: 4d54 6864 0000 0006 0001 0002 01e0 4d54  MThd..........MT\n00000010: 726b\n",
}


@pytest.mark.parametrize("name", ["my song.mid", "a.txt", "a.wav"])
@pytest.mark.parametrize("command", AS_TEXT)
def test_a_file_that_a_mail_program_wrote_as_text_is_decoded_with_a_command(
    tmp_path: Path, command: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(AS_TEXT[command])
    with pytest.raises(UserError, match="is a MIDI file that was written as text") as error:
        is_midi(path)
    out = path.with_name(f"{path.stem}-decoded.mid")
    assert f"`{command.partition(',')[0]} {shlex.quote(str(path))} > {shlex.quote(str(out))}`" in str(error.value)


@pytest.mark.parametrize("what", ["WAV", "FLAC", "Ogg", "MP3"])
def test_a_sound_that_was_written_as_text_is_named_by_its_kind(tmp_path: Path, what: str) -> None:
    head = {"WAV": b"RIFF\x24\0\0\0WAVE", "FLAC": b"fLaC\0\0\0\x22", "Ogg": b"OggS\0\x02", "MP3": b"ID3\x03"}[what]
    (tmp_path / "a").write_bytes(base64.encodebytes(head + bytes(range(200))))
    with pytest.raises(UserError, match=f"is an? {what} file that was written as text .base64.*: decode it with"):
        is_midi(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Return-Path: <a@b.c>\r\nSubject: my song\r\n\r\nTVRoZAAA", "is a mail: save the file that is attached"),
        (b"Content-Type: audio/midi\nContent-Transfer-Encoding: base64\n\nTVRoZAAA", "is a mail: save the file"),
        (b"X-Mozilla-Status: 0\nDate: today\n a\nFrom: me\n\nTVRoZAAA", "is a mail: save the file"),
        ("Subject: für dich\n\nTVRoZAAA".encode("latin-1"), "is a mail: save the file"),
        (b"begin 644 song.mid\n#0V%T\n`\nend\n", "uuencode.*: decode it with `uudecode"),
        (b"begin 0755 song.mid\n#0V%T\n`\nend\n", "uuencode.*: decode it with `uudecode"),
        (b"begin-base64 644 song.mid\r\nTVRoZAAA\r\n====\r\n", "uuencode.*: decode it with `uudecode"),
        (b"\xef\xbb\xbfbegin-base64-encoded 644 c29uZw==\nTVRoZAAA\n====\n", "uuencode.*: decode it with `uudecode"),
    ],
)
def test_a_whole_mail_is_named_with_a_remedy(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(UserError, match=words):
        is_midi(tmp_path / "a.mid")


def test_text_that_only_looks_encoded_is_no_file_in_a_mail(tmp_path: Path) -> None:
    for content in (
        b"TVRo",
        b"4d54",
        b"00000000: 4d",
        b"a note\n",
        b"From here to there",
        b"note: a\nnothing.mid\n",
        b"beginning 6",
        b"0: ",
    ):
        (tmp_path / "a.mid").write_bytes(content)
        assert foreign_kind(tmp_path / "a.mid") is None, content


@pytest.mark.parametrize(
    "content",
    [
        zipped("my.mscx")[:40],
        zipped("my.mscx")[:-1],
        zipped("my.mscx\u00e9").replace(b"\xc3\xa9", b"\xff\xff"),
        # the version of ZIP that the list of files asks for, in tenths
        zipped("my.mscx").replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
    ],
    ids=["head alone", "last byte lost", "name that is no text", "later version"],
)
def test_a_zip_archive_whose_list_cannot_be_read_is_to_be_copied_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mscz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="list of files cannot be read: copy or download it again"):
        is_midi(path)


@pytest.mark.parametrize("before", [b"", b"\0" * 128, b"RIFF\x00\x00\x00\x00RMIDdata\x00\x00\x00\x00"])
def test_midi_is_known_by_its_content_or_by_its_name(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(before + clean())
    assert is_midi(path)


@pytest.mark.parametrize("name", ["ring.xmf", "saved.bin", "song"])
@pytest.mark.parametrize("before", [b"XMF_1.00" + b"\x81\x00" * 40, b"\0" * 128])
def test_midi_behind_other_bytes_is_known_by_its_header_whatever_its_name(
    tmp_path: Path, name: str, before: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(before + clean())
    assert is_midi(path) and len(read_midi(path).part().notes) == 32


@pytest.mark.parametrize(
    "content",
    [
        b"**kern\t**kern\n*M4/4\t*M4/4\n4c\t4e\n",
        b'\\version "2.24"\n\\score { c4 }\n',
        b"MFile 1 2 480\nMTrk\n0 Tempo 600000\n",
        b'{"header": {"ppq": 480}}',
        '0, 0, Header, 1, 2, 480\r\n1, 0, Title_t, "F\u00fcr Elise"\r\n'.encode("utf-16"),
        "Für Elise ".encode() * 500,
        b"melody of the right hand: c e g\n",
        b"MMMDCCC is a number\n",
    ],
    ids=["Humdrum", "LilyPond", "mf2t", "JSON", "UTF-16", "cut in a character", "melody", "a number"],
)
@pytest.mark.parametrize("name", ["a.krn", "a.txt", "a.wav"])
def test_a_text_is_named_as_one_and_not_to_be_converted_as_a_sound(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="is a text, not a MIDI file or a sound: export its music as a MIDI file"):
        is_midi(tmp_path / name)


def test_an_xmf_file_with_compressed_music_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "ring.mxmf").write_bytes(b"XMF_2.00" + b"\x81\x00" * 40 + zlib.compress(clean()))
    with pytest.raises(UserError, match="is an XMF file, whose music is compressed: export it"):
        is_midi(tmp_path / "ring.mxmf")


def test_a_sound_of_no_known_kind_is_left_to_the_reader_of_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wma").write_bytes(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(40))
    assert not is_midi(tmp_path / "a.wma")


def test_a_big_endian_riff_with_a_midi_file_is_read_as_midi(tmp_path: Path) -> None:
    body = b"RMIDdata" + len(clean()).to_bytes(4, "big") + clean()
    (tmp_path / "a").write_bytes(b"RIFX" + len(body).to_bytes(4, "big") + body)
    assert is_midi(tmp_path / "a")
    assert len(read_midi(tmp_path / "a").part().notes) == 32
