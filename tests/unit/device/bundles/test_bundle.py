"""A bundle is checked completely before any part of it is used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import device.bundles.bundle
import device.bundles.golden
import device.bundles.manifest
from device.bundles.bundle import MANIFEST_SUM, Bundle, manifest_sum
from device.bundles.golden import verify
from device.bundles.manifest import CARD, GOLDEN, MANIFEST, read_manifest
from device.errors import BundleError
from export.write import packed

FILES = (MANIFEST, MANIFEST_SUM, "transcriber.tflite", "accompanist.tflite", GOLDEN, CARD)


@pytest.fixture
def folder(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return Path(shutil.copytree(toy_bundle.path, tmp_path / "bundle"))


@pytest.fixture
def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if an interpreter is built."""

    def built(*_: Any, **__: Any) -> None:
        raise AssertionError("an interpreter was built from a bundle that should have been refused")

    monkeypatch.setattr(device.bundles.bundle, "StepModel", built)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and correct its checksums, as a bundle's maker could."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    text = json.dumps(manifest).encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / MANIFEST_SUM).write_bytes(manifest_sum(text))


def put(folder: Path, name: str, content: bytes) -> None:
    """Change a file and its checksum, as a bundle's maker could."""
    (folder / name).write_bytes(content)
    rewrite(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(content).hexdigest()}))


def without(golden: Any, *names: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in golden.items() if name not in names}


def refused(folder: Path, words: str) -> str:
    """Opens and verifies `folder`, which must fail with one sentence that matches `words`."""
    with pytest.raises(BundleError, match=words) as caught:
        verify(Bundle.open(folder))
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_the_folder_holds_what_the_documents_say(toy_bundle: Bundle) -> None:
    assert sorted(path.name for path in toy_bundle.path.iterdir()) == sorted(FILES)


def test_a_whole_bundle_opens_and_passes_its_self_test_in_both_runtimes(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.bundles.golden, "paced", lambda count, period_s: range(count))
    for runtime in ("litert", "tflite"):
        lines = verify(toy_bundle, runtime)
        assert [line.split()[0] for line in lines] == [
            *("manifest", "checksums", "features", "transcriber", "transcriber"),
            *("accompanist", "accompanist", "accompanist", "speed"),
        ]


def test_models_come_at_their_beginning_and_by_their_names(toy_bundle: Bundle) -> None:
    assert toy_bundle.transcriber().inputs.keys() == {"x", "own"}
    assert toy_bundle.accompanist().inputs.keys() == {"x"}


@pytest.mark.usefixtures("no_interpreter")
@pytest.mark.parametrize("name", FILES)
@settings(deadline=None)
@given(data=st.data())
def test_one_flipped_bit_in_any_file_is_refused(name: str, data: st.DataObject, toy_bundle: Bundle) -> None:
    content = bytearray((toy_bundle.path / name).read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    copy = toy_bundle.path.parent / f"flipped-{name}"
    if not copy.exists():
        shutil.copytree(toy_bundle.path, copy)
    (copy / name).write_bytes(content)
    refused(copy, "damaged")


@pytest.mark.usefixtures("no_interpreter")
@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    refused(folder, "damaged")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, f"{name} is missing")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere is not a bundle: no such folder")
    refused(tmp_path / ("x" * 9000), "is not a bundle: no such folder")
    refused(Path("a\0b"), "is not a bundle: no such folder")


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    refused(tmp_path, f"{MANIFEST} is missing")


def test_both_sums_are_told(folder: Path) -> None:
    content = (folder / CARD).read_bytes() + b" "
    (folder / CARD).write_bytes(content)
    sentence = refused(folder, CARD)
    assert hashlib.sha256(content).hexdigest() in sentence
    assert json.loads((folder / MANIFEST).read_text())["files"][CARD] in sentence


@pytest.mark.parametrize("schema", [2, 0, "1", None, True])
def test_another_schema_is_refused_with_both_values(folder: Path, schema: Any) -> None:
    rewrite(folder, lambda manifest: manifest.update(schema=schema))
    refused(folder, f"has schema {schema!r}, this device reads schema 1")


def test_a_newer_schema_is_not_blamed_for_its_keys(folder: Path) -> None:
    rewrite(folder, lambda manifest: manifest.update(schema=2, novelty=1))
    refused(folder, "has schema 2")


def test_a_bundle_for_newer_devices_is_refused_with_both_versions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(folder, lambda manifest: manifest.update(min_device_version="3.10"))
    monkeypatch.setattr(device.bundles.manifest, "VERSION", "3.9.2")
    refused(folder, r"needs device version 3\.10, this is 3\.9\.2: update lefthand")
    monkeypatch.setattr(device.bundles.manifest, "VERSION", "3.10.0")
    assert Bundle.open(folder).manifest.min_device_version == "3.10"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("hop"), "hop is missing"),
        (lambda m: m.update(hop="256"), "hop must be a whole number, not '256'"),
        (lambda m: m.update(hop=True), "hop must be a whole number, not True"),
        (lambda m: m.update(gate=[]), "gate must be an object, not list"),
        (lambda m: m.update(extra=1), "extra is not a key of schema 1"),
        (lambda m: m["models"]["transcriber"].pop("file"), "models.transcriber.file is missing"),
        (lambda m: m["models"]["transcriber"]["tensors"][0].update(scale=None), "scale must be a number, not nothing"),
        (lambda m: m["models"].pop("accompanist"), "models has no accompanist"),
        (lambda m: m["files"].pop(CARD), f"gives no sha256 for {CARD}"),
        (lambda m: m["files"].pop("transcriber.tflite"), "gives no sha256 for transcriber.tflite"),
        (lambda m: m.update(min_device_version="new"), "min_device_version: 'new' is not a version"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_by_key(folder: Path, change: Any, words: str) -> None:
    rewrite(folder, change)
    refused(folder, words)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(repr))
@settings(deadline=None)
def test_no_text_breaks_the_reader(text: bytes | str) -> None:
    with pytest.raises(BundleError):
        read_manifest(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))


def test_deep_nesting_is_refused_like_any_other_text() -> None:
    with pytest.raises(BundleError):
        read_manifest(b"[" * 100_000)


def test_a_manifest_survives_its_own_text(toy_bundle: Bundle) -> None:
    assert read_manifest(toy_bundle.manifest.to_json().encode()) == toy_bundle.manifest


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/file", "..", ".", "", "a\\b", "a\0b"])
def test_a_file_outside_the_folder_is_never_read(folder: Path, name: str) -> None:
    (folder.parent / "secret").write_bytes(b"x")
    rewrite(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(b"x").hexdigest()}))
    refused(folder, "lie in its own folder")


def test_a_link_out_of_the_folder_is_refused_even_if_its_target_fits(folder: Path) -> None:
    outside = folder.parent / "outside.tflite"
    (folder / "transcriber.tflite").rename(outside)
    (folder / "transcriber.tflite").symlink_to(outside)
    refused(folder, "transcriber.tflite cannot be read")


def test_a_pipe_instead_of_a_file_does_not_hang(folder: Path) -> None:
    (folder / CARD).unlink()
    os.mkfifo(folder / CARD)
    refused(folder, "not a plain file")


def test_a_file_too_large_is_not_read(folder: Path) -> None:
    with (folder / CARD).open("r+b") as file:
        file.truncate(2**40)
    refused(folder, "not a plain file of at most")


def test_the_folder_itself_may_be_a_link_which_is_resolved_once(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder)
    assert Bundle.open(link).path == folder.resolve()


def test_what_was_summed_is_what_is_used(folder: Path) -> None:
    bundle = Bundle.open(folder)
    shutil.rmtree(folder)
    assert bundle.transcriber().outputs.keys() == {"y"}


def test_features_that_differ_are_refused(folder: Path, toy_bundle: Bundle) -> None:
    frames = toy_bundle.golden["features/frames"].copy()
    frames[3, 20, 1] += 3e-4
    put(folder, GOLDEN, packed({**toy_bundle.golden, "features/frames": frames}))
    refused(folder, "differ from the golden frames by 0.0003 of full scale, 1e-04 is allowed")


def test_features_may_differ_in_the_last_bits(folder: Path, toy_bundle: Bundle) -> None:
    frames = toy_bundle.golden["features/frames"] + np.float32(3e-5)
    put(folder, GOLDEN, packed({**toy_bundle.golden, "features/frames": frames}))
    assert Bundle.open(folder).digest != toy_bundle.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["features"].update(bins_per_octave=48), "Features here differ"),
        (lambda m: m["features"].update(window="hann"), "features: .*window"),
        (lambda m: m.update(hop=512), "hop is 512, features.hop is 256"),
        (lambda m: m.update(sample_rate=48000), "sample_rate is 48000, features.sample_rate is 16000"),
    ],
)
def test_a_manifest_whose_features_are_others_is_refused(folder: Path, change: Any, words: str) -> None:
    rewrite(folder, change)
    refused(folder, words)


def test_golden_arrays_that_are_no_arrays_are_refused(folder: Path) -> None:
    put(folder, GOLDEN, b"not a zip file")
    refused(folder, "not readable as arrays")


def test_golden_arrays_never_run_code(folder: Path, toy_bundle: Bundle) -> None:
    put(folder, GOLDEN, packed({**toy_bundle.golden, "x": np.array([print], dtype=object)}))
    refused(folder, "not readable as arrays")


def test_a_model_with_other_tensors_than_the_manifest_is_refused(folder: Path, toy_bundle: Bundle) -> None:
    put(folder, "transcriber.tflite", toy_bundle.contents["accompanist.tflite"])
    refused(folder, r"transcriber.tflite has tensors \['next_gru'")


def test_a_model_with_another_quantisation_than_the_manifest_is_refused(folder: Path) -> None:
    def halve(manifest: dict[str, Any]) -> None:
        manifest["models"]["accompanist"]["tensors"][0]["scale"] /= 2

    rewrite(folder, halve)
    refused(folder, "is int8 .* the manifest says int8")


def test_a_model_that_gives_other_outputs_is_refused(folder: Path, toy_bundle: Bundle) -> None:
    name = f"transcriber/out/{toy_bundle.transcriber().runtime}/y"
    put(folder, GOLDEN, packed({**toy_bundle.golden, name: toy_bundle.golden[name][::-1]}))
    refused(folder, "gives y .*% off the golden values, .*% is allowed")


def test_a_runtime_that_was_not_checked_is_refused(folder: Path) -> None:
    rewrite(folder, lambda m: m["models"]["transcriber"].update(tolerance={"other": 0.1}))
    refused(folder, "transcriber was not checked in litert")


def test_golden_arrays_are_checked_but_not_kept_until_they_are_asked_for(folder: Path) -> None:
    bundle = Bundle.open(folder)
    assert "golden" not in vars(bundle)
    assert bundle.golden is bundle.golden and "golden" in vars(bundle)


def test_missing_golden_vectors_are_refused(folder: Path, toy_bundle: Bundle) -> None:
    put(folder, GOLDEN, packed(without(toy_bundle.golden, "accompanist/in/x")))
    refused(folder, "golden inputs of accompanist are")
    put(folder, GOLDEN, packed(without(toy_bundle.golden, "accompanist/out/litert/y_bass")))
    refused(folder, "golden y_bass of accompanist has shape None")
    put(folder, GOLDEN, packed(without(toy_bundle.golden, "features/frames")))
    refused(folder, "has no features/frames")


def test_a_device_too_slow_is_told_so(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    ticking = iter(range(10**6))
    monkeypatch.setattr(device.bundles.golden, "thread_time", lambda: next(ticking) * 0.0081)
    monkeypatch.setattr(device.bundles.golden, "paced", lambda count, period_s: range(count))
    with pytest.raises(BundleError, match=r"too slow .* 8\.1 ms of 16 ms, at most 50% may be taken: use a faster Pi"):
        verify(toy_bundle)


def test_the_self_test_waits_for_each_hop_unless_a_whole_hop_may_be_taken(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, float]] = []

    def waits(count: int, period_s: float) -> range:
        asked.append((count, period_s))
        return range(count)

    monkeypatch.setattr(device.bundles.golden, "paced", waits)
    verify(toy_bundle, slowest=0.9)
    verify(toy_bundle, slowest=1.0)
    assert asked == [(device.bundles.golden.TIMED_HOPS, toy_bundle.features.hop_s)]
