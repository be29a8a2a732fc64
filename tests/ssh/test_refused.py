"""A bundle that must not play is refused with one sentence, and the box plays on."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bundles
import pytest
from bundles import AT_ONCE, FAULTS, faulty, put, rules_against_slow, slow_step_s, variant
from ssh_box import RULES, Box, powered

from deploy.keys import sign
from deploy.pack import archived, pack
from device.bundles.bundle import Bundle
from device.bundles.manifest import CARD, MANIFEST
from device.bundles.signature import SIGNATURE
from device.flash.unpack import MOST_FILES


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, second: Path) -> Iterator[Box]:
    """A box that plays a flashed bundle."""
    with powered(tmp_path_factory.mktemp("refused") / "box") as found:
        flashed = found.flash(second)
        assert flashed.returncode == 0, flashed.stderr
        yield found


def send(box: Box, content: bytes, digest: str | None = None) -> str:
    """Send an archive unchanged and return the box's last output."""
    digest = digest or hashlib.sha256(content).hexdigest()
    ssh = ["ssh", *box.env["LEFTHAND_SSH"].split(), "box", "--", box.env["LEFTHAND_SLOT"]]
    sent = subprocess.run(
        [*ssh, "receive", digest, str(len(content))], input=content, capture_output=True, timeout=60, check=False
    )
    assert sent.returncode == 2, sent.stdout + sent.stderr
    last = json.loads(sent.stdout.splitlines()[-1])
    assert last["step"] == "refused"
    return str(last["said"])


def refused(box: Box, content: bytes, words: str) -> str:
    """Assert that the box refuses an archive with one sentence with `words` and plays on. Return the sentence."""
    playing, slots, status = box.slots.active(), box.current().digest, box.status()
    said = send(box, content)
    assert words in said and said.endswith(".") and "\n" not in said, said
    assert box.slots.active() == playing and box.current().digest == slots
    assert status is not None and box.plays() and box.status().pid == status.pid  # type: ignore[union-attr]
    # no file of the upload is left
    assert not list(box.slots.root.glob("incoming-*"))
    return said


def signed(box: Box, folder: Path, key: Path | None = None, **changed: bytes) -> dict[str, bytes]:
    """Return the files of an archive, signed by the key's owner with any content."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {**files, SIGNATURE: sign(files[MANIFEST], key or box.key), **changed}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (bundles.wrong_features, "Features here differ from the golden frames by 0.01"),
        (bundles.wrong_shapes, "the manifest says int8 [1, 1, 89, 2]"),
        (bundles.newer_schema, "has schema 2, this device reads schema 1: install a matching one"),
        (bundles.newer_device, "needs device version 99.0"),
        (bundles.other_outputs, "off the golden values"),
    ],
)
def test_what_its_maker_made_wrong(box: Box, tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    folder = variant(tmp_path / "bundle", "wrong", "2027-02-01T00:00:00Z")
    spoil(folder)
    refused(box, archived(signed(box, folder)), words)


@pytest.mark.parametrize(
    ("fault", "words"),
    dict(
        zip(
            FAULTS,
            (
                "inf% off the golden values",
                "This device is too slow",
                "its self-test did not finish within 6 s",
                "cannot run the model",
            ),
            strict=True,
        )
    ).items(),
)
def test_models_that_go_wrong_at_once(box: Box, tmp_path: Path, fault: str, words: str) -> None:
    folder = variant(tmp_path / "bundle", fault, "2027-02-01T00:00:00Z")
    if fault == "hang":
        (box.folder / "flash.toml").write_text(RULES.replace("self_test_s = 60", "self_test_s = 6"))
    elif fault == "slow":
        (box.folder / "flash.toml").write_text(rules_against_slow(RULES))
    faulty(folder, fault, AT_ONCE if fault != "slow" else 245.0)
    try:
        said = refused(box, archived(signed(box, folder)), words)
        if fault == "slow":
            # the model is too slow, not this machine
            found = re.search(r"take more than (\d+\.\d) ms", said)
            assert found is not None and float(found[1]) > 1e3 * slow_step_s() / 2, said
    finally:
        (box.folder / "flash.toml").write_text(RULES)


def test_a_bundle_that_is_not_signed(box: Box, second: Path) -> None:
    files = signed(box, second)
    del files[SIGNATURE]
    refused(box, archived(files), "is not signed: flash it with the key that was made at provisioning")


def test_a_bundle_that_a_stranger_signed(box: Box, second: Path) -> None:
    refused(box, archived(signed(box, second, box.new_key("stranger"))), "is signed by none of the keys in")


def test_a_bundle_that_was_signed_for_something_else(box: Box, second: Path, tmp_path: Path) -> None:
    message = tmp_path / "manifest"
    message.write_bytes((second / MANIFEST).read_bytes())
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", box.key, "-n", "git", message], check=True)
    signature = message.with_name("manifest.sig").read_bytes()
    refused(box, archived({**signed(box, second), SIGNATURE: signature}), "for bundle@lefthand")


def test_an_older_bundle_sent_once_more(box: Box, first: Path) -> None:
    content = pack(Bundle.open(first), box.key).content
    refused(
        box, content, "was made at 2027-01-01T00:00:00Z, before the newest that has played here (2027-01-02T00:00:00Z)"
    )


def test_a_bit_that_flips_in_any_file(box: Box, second: Path) -> None:
    files = signed(box, second)
    for name, content in files.items():
        damaged = bytearray(content)
        damaged[len(damaged) // 3] ^= 4
        said = send(box, archived({**files, name: bytes(damaged)}))
        blamed = {MANIFEST: "is signed by none", SIGNATURE: "is signed by none", "manifest.sha256": "is damaged"}
        assert blamed.get(name, f"{name} is damaged") in said
        assert box.plays() and box.slots.active() == "a"


def test_a_bit_that_flips_on_the_way(box: Box, second: Path) -> None:
    content = archived(signed(box, second))
    digest = hashlib.sha256(content).hexdigest()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    assert "The archive was damaged on its way" in send(box, bytes(damaged), digest)
    assert box.plays()


@pytest.mark.parametrize("part", [0.1, 0.5, 0.97, 0.985])
def test_an_archive_that_is_not_whole(box: Box, second: Path, part: float) -> None:
    content = archived(signed(box, second))
    refused(box, content[: int(part * len(content))], "pack and send the bundle again")


def with_member(member: tarfile.TarInfo, content: bytes = b"x") -> Callable[[dict[str, bytes]], bytes]:
    """Return an archive of the bundle and one more member."""

    def made(files: dict[str, bytes]) -> bytes:
        stream = io.BytesIO(archived(files))
        with tarfile.open(fileobj=stream, mode="a", format=tarfile.PAX_FORMAT) as tar:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
        return stream.getvalue()

    return made


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def kind(name: str, of: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = of
    return member


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (tarfile.TarInfo("../../authorized_keys"), "a bundle's files lie in its own folder"),
        (tarfile.TarInfo("/etc/cron.d/job"), "a bundle's files lie in its own folder"),
        (tarfile.TarInfo("folder/file"), "a bundle's files lie in its own folder"),
        (tarfile.TarInfo(".hidden"), "a bundle's files lie in its own folder"),
        (tarfile.TarInfo("a" * 300), "a bundle's files lie in its own folder"),
        (tarfile.TarInfo("two\nlines"), "a bundle's files lie in its own folder"),
        (link("passwd", "/etc/passwd", tarfile.SYMTYPE), "which is not a plain file"),
        (link("passwd", "/etc/passwd", tarfile.LNKTYPE), "which is not a plain file"),
        (kind("pipe", tarfile.FIFOTYPE), "which is not a plain file"),
        (kind("disk", tarfile.BLKTYPE), "which is not a plain file"),
        (kind("folder", tarfile.DIRTYPE), "which is not a plain file"),
        (tarfile.TarInfo(CARD), f"{CARD} twice"),
        (tarfile.TarInfo("run.sh"), "run.sh, which the manifest does not list"),
    ],
    ids=lambda value: repr(value.name[:12]) if isinstance(value, tarfile.TarInfo) else "",
)
def test_tricks_with_paths(box: Box, second: Path, member: tarfile.TarInfo, words: str) -> None:
    refused(box, with_member(member)(signed(box, second)), words)


def test_more_files_than_a_bundle_has(box: Box, second: Path) -> None:
    more = {f"file{i}": b"" for i in range(MOST_FILES)}
    refused(box, archived({**signed(box, second), **more}), f"more than {MOST_FILES} files")


def test_what_is_no_archive(box: Box) -> None:
    refused(box, b"\x1f\x8b" + bytes(5000), "The archive")


def test_a_signed_bundle_that_names_a_file_elsewhere(box: Box, tmp_path: Path) -> None:
    folder = variant(tmp_path / "bundle", "elsewhere", "2027-02-01T00:00:00Z")
    put(folder, CARD, b"card")
    bundles.rewrite(folder, lambda manifest: manifest["files"].update({"../../flash.toml": "0" * 64}))
    refused(box, archived(signed(box, folder)), "names the file '../../flash.toml'")


@pytest.mark.parametrize("arguments", [["0" * 63, "5"], ["../" * 22, "5"], ["0" * 64, "0"], ["0" * 64, "99999999999"]])
def test_arguments_that_are_none(box: Box, arguments: list[str]) -> None:
    ssh = ["ssh", *box.env["LEFTHAND_SSH"].split(), "box", "--", box.env["LEFTHAND_SLOT"]]
    ran = subprocess.run([*ssh, "receive", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0 and ("SHA256" in ran.stderr or "SIZE" in ran.stderr)


def test_the_workstation_refuses_a_damaged_bundle_before_it_sends_it(box: Box, second: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(second, tmp_path / "bundle"))
    (folder / "transcriber.tflite").write_bytes(b"x")
    ran = box.flash(folder)
    assert ran.returncode == 2 and "transcriber.tflite is damaged" in ran.stderr
    assert "received" not in ran.stdout
