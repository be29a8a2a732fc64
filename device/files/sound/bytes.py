"""Opens a sound file with libsndfile, so that it sees right bytes where those of the file would mislead it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import missing_extra
from device.files.sound.aiff_chunks import needed_pieces
from device.files.sound.file_part import FilePart
from device.files.sound.heads import is_container
from device.files.sound.mp3_frames import next_frame
from device.files.sound.ogg_links import ogg_links
from device.files.sound.wav_header import WavHeader, late_sound, read_wav_header, right_length
from device.system.quiet import quiet

if TYPE_CHECKING:
    import soundfile

_FLAC_TOTAL = ((21, 0x0F), (22, 0xFF), (23, 0xFF), (24, 0xFF), (25, 0xFF))
"""Bytes and masks of the number of frames in a FLAC header (RFC 9639, 8.2).

libsndfile stops after so many frames. The header is read with 0, "unknown", so that it reads up to the end.
"""


class SoundBytes:
    """Opens the sound file at `path`, as often as it is read.

    A length in the header that is wrong, a chunk that libsndfile refuses and bytes before the sound are passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = _own_header(path)
        """Header of a WAV file whose samples are read without libsndfile's; None for every other file."""
        self.right_length = right_length(path)
        """Place and bytes of the right length, if the header of another file has a wrong one."""
        self._pieces = needed_pieces(path, self.right_length is not None)
        """(first byte, number of bytes) of what is read of an AIFF file; none for every other file."""
        self.links, self.damaged = ogg_links(path)
        """(first byte, number of bytes) of each part of the file that is read; none if all of it is one part."""
        self.links = self.links or late_sound(path)
        self._start = self.links[0][0] if self.links else 0
        self.flac_frames = _flac_frames(path, self._start)
        """Number of frames in the header of a FLAC file, 0 if it is unknown; None for every other file."""
        self._part: FilePart | None = None

    @property
    def place(self) -> int:
        """Return the byte up to which the file that was opened last was read."""
        return 0 if self._part is None else self._part.place

    @property
    def is_wrong(self) -> bool:
        """Return whether the header gives a wrong length."""
        header = self.header
        return self.right_length is not None or (header is not None and (header.wrong or header.last_wrong))

    def takes_other_length(self, frames: int) -> bool:
        """Return whether a WAV file has another number of frames than the `frames` that libsndfile finds.

        The next `open` then reads it by its own header. libsndfile takes the end of some odd chunks before the sound
        for the sound.
        """
        header = read_wav_header(self.path) if self.header is None else None
        if header is None or header.subtype is None or header.frames == frames:
            return False
        self.header = header
        return True

    def pass_over_flaws(self) -> bool:
        """Let the next `open` read without what libsndfile refuses. Return whether there is a way to do so.

        In a WAV file that is every chunk but the format and the samples. An MP3 is read from its first whole frame on,
        if it was cut out of a broadcast or begins with other bytes.
        """
        header = read_wav_header(self.path)
        if header is not None:
            self.header = header
            return header.subtype is not None
        found = None if self.links or is_container(self.path) else next_frame(self.path, 0)
        if found is not None:
            self.links = [(found, self.path.stat().st_size - found)]
        return found is not None

    def leave_out_others(self, rate: int, channels: int) -> str | None:
        """Keep the links of a file that have the rate in Hz and the channels of the first; none if it is one link.

        Return a sentence for the owner if there are others, which are not read. Raises what `open` raises.
        """
        alike, links = [], self.links
        alone = len(links) == 1 and links[0][0] == 0
        for link in [] if alone else links:
            with contextlib.suppress(soundfile_of("play").LibsndfileError, RuntimeError), self.open(link) as file:
                if (file.samplerate, file.channels) == (rate, channels):
                    alike.append(link)
        self.links = alike
        if not alike or len(alike) == len(links):
            return None
        return (
            f"{self.path} holds {len(links)} recordings one after another, and only {len(alike)} of them have the "
            f"rate and the channels of the first and are heard: convert the others one by one."
        )

    @contextlib.contextmanager
    def open(self, link: tuple[int, int] | None = None) -> Iterator[soundfile.SoundFile]:
        """Open the file, or the link (first byte, number of bytes) of a chained Ogg file."""
        sf = soundfile_of("play")

        class Stream(sf.SoundFile):  # type: ignore[misc, name-defined]
            """A file that is read from the beginning to the end.

            soundfile seeks after each block of a seekable file. In an MP3 that gives a click at each block.
            """

            def seekable(self) -> bool:
                return False

        header = self.header
        with self.path.open("rb") as raw, contextlib.ExitStack() as stack:
            size = self.path.stat().st_size
            part = FilePart(raw, [(0, size)])
            form: dict[str, object] = {}
            if header is not None:
                part = FilePart(raw, header.pieces)
                form = {"format": "RAW", "subtype": header.subtype, "endian": "LITTLE"}
                form |= {"samplerate": header.rate, "channels": header.channels}
            elif self.flac_frames is not None:
                part = FilePart(raw, [link or (0, size)], [(self._start + place, mask) for place, mask in _FLAC_TOTAL])
            elif link is not None:
                part = FilePart(raw, [link])
            elif self.right_length is not None or self._pieces:
                part = FilePart(raw, self._pieces or [(0, size)], replaced=self.right_length or (0, b""))
            with quiet():
                file = Stream(part, **form)
            self._part = part
            yield stack.enter_context(file)


def _own_header(path: Path) -> WavHeader | None:
    """Return the header of a WAV file that libsndfile does not read in full; None for every other file."""
    header = read_wav_header(path)
    own = header is not None and (header.wrong or not header.known or header.more or header.other)
    return header if header is not None and header.subtype is not None and own else None


def _flac_frames(path: Path, start: int) -> int | None:
    """Return the number of frames in the header of a FLAC file, 0 if it is unknown; None for every other file.

    The file begins at byte `start` of `path`.
    """
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(_FLAC_TOTAL[-1][0] + 1)
    if head[:4] != b"fLaC" or len(head) <= _FLAC_TOTAL[-1][0]:
        return None
    first, mask = _FLAC_TOTAL[0]
    return int.from_bytes([head[first] & mask, *head[first + 1 :]], "big")


def soundfile_of(extra: str) -> soundfile:
    """Return the package soundfile. Raises UserError if it is missing; the error names the `extra` that installs it."""
    try:
        import soundfile
    except ImportError:
        raise missing_extra("soundfile", extra) from None
    return soundfile
