"""The two slots and the current bundle: in every state of the slots there is a bundle to open."""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from deploy.keys import ensure_key, sign, signers_line
from device.bundles.bundle import Bundle
from device.bundles.choice import choose, open_current
from device.bundles.manifest import MANIFEST
from device.bundles.signature import SIGNATURE
from device.bundles.slots import LockedError, Slots

KEY = "flash_key"


@pytest.fixture
def slots(tmp_path: Path, toy_bundle: Bundle) -> Slots:
    """Slots of a box whose shipped bundle is the toy; slot a holds another, which plays and is good."""
    signers = tmp_path / "allowed_signers"
    signers.write_text(signers_line(ensure_key(tmp_path / KEY)))
    slots = Slots(tmp_path / "bundles", toy_bundle.path, signers)
    with slots.locked():
        fill(slots, "a")
        slots.begin_trial("a")
        slots.mark_good("played 250 hops")
    return slots


def fill(slots: Slots, name: str) -> None:
    """Put a different bundle into a slot, signed with the key that the box trusts."""
    incoming = slots.root / "new"
    shutil.copytree(slots.shipped, incoming)
    signed = sign((incoming / MANIFEST).read_bytes(), slots.signers.with_name(KEY))
    (incoming / SIGNATURE).write_bytes(signed)
    slots.fill("a" if name == "a" else "b", incoming)


def test_a_box_that_was_never_flashed_plays_the_shipped_bundle(tmp_path: Path, toy_bundle: Bundle) -> None:
    slots = Slots(tmp_path / "nothing", toy_bundle.path)
    assert slots.active() is None and slots.current() == toy_bundle.path
    assert open_current(slots).digest == toy_bundle.digest
    assert not (tmp_path / "nothing").exists()


def test_the_slot_that_plays_is_never_filled(slots: Slots) -> None:
    assert slots.inactive() == "b"
    with pytest.raises(ValueError, match="slot a plays"):
        slots.fill("a", slots.shipped)


def test_a_rollback_to_the_shipped_bundle_holds_though_a_slot_is_good(slots: Slots) -> None:
    slots.switch(None)
    assert open_current(slots).path == slots.shipped.resolve()


def test_a_trial_that_nobody_watches_is_flipped_back_at_the_next_start(
    slots: Slots, caplog: pytest.LogCaptureFixture
) -> None:
    fill(slots, "b")
    slots.begin_trial("b")
    with caplog.at_level(logging.WARNING):
        assert open_current(slots).path == slots.folder("a").resolve()
    assert "The trial of slot b was cut short, slot a plays again." in caplog.text
    assert slots.trial() is None and slots.active() == "a"
    verdict = slots.verdict("b")
    assert verdict is not None and not verdict.good


def test_a_trial_that_is_watched_plays_the_new_bundle(slots: Slots) -> None:
    fill(slots, "b")
    with slots.locked():
        slots.begin_trial("b")
        assert open_current(slots).path == slots.folder("b").resolve()
        assert slots.trial() is not None


def test_one_process_at_a_time(slots: Slots) -> None:
    with slots.locked():
        assert slots.in_use()
        with pytest.raises(LockedError, match="Another flash or rollback is running on this box"), slots.locked(0.05):
            pass
    assert not slots.in_use()


def test_a_process_that_is_killed_leaves_no_lock(slots: Slots) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(slots.root, held))
    process.start()
    assert held.wait(60)
    assert slots.in_use()
    process.kill()
    process.join()
    assert not slots.in_use()


def _hold(root: Path, held: Event) -> None:
    with Slots(root).locked():
        held.set()
        time.sleep(600)


def test_a_damaged_bundle_gives_way_to_the_next_best(slots: Slots, caplog: pytest.LogCaptureFixture) -> None:
    fill(slots, "b")
    with slots.locked():
        slots.begin_trial("b")
        slots.mark_good("played")
    (slots.folder("b") / "transcriber.tflite").write_bytes(b"worn out")
    assert open_current(slots).path == slots.folder("a").resolve()
    assert "transcriber.tflite is damaged" in caplog.text
    (slots.folder("a") / "manifest.json").unlink()
    assert open_current(slots).path == slots.shipped.resolve()


def test_a_bundle_that_is_not_signed_gives_way_to_the_next_best(slots: Slots, caplog: pytest.LogCaptureFixture) -> None:
    fill(slots, "b")
    with slots.locked():
        slots.begin_trial("b")
        slots.mark_good("played")
    (slots.folder("b") / SIGNATURE).unlink()
    assert open_current(slots).path == slots.folder("a").resolve()
    assert f"{slots.folder('b')} is not signed" in caplog.text
    assert "Another bundle plays instead; flash a good one." in caplog.text


def test_a_key_that_is_trusted_no_more_leaves_the_shipped_bundle(slots: Slots, tmp_path: Path) -> None:
    slots.signers.write_text(signers_line(ensure_key(tmp_path / "another")))
    choice = choose(slots)
    assert choice.bundle.path == slots.shipped.resolve()
    assert len(choice.refused) == 1 and "is signed by none of the keys" in choice.refused[0]


def test_without_the_file_of_keys_the_shipped_bundle_plays(slots: Slots) -> None:
    slots.signers.unlink()
    choice = choose(slots)
    assert choice.bundle.path == slots.shipped.resolve()
    assert choice.refused == (f"{slots.signers} is missing: it lists the keys to trust, and provisioning writes it.",)


def test_the_signature_must_be_of_this_very_manifest(slots: Slots) -> None:
    text = (slots.folder("a") / MANIFEST).read_text()
    (slots.folder("a") / MANIFEST).write_text(text + " ")
    assert "is signed by none of the keys" in choose(slots).refused[0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"slot": "../../etc", "before": null, "began": ""}', '{"slot": "b"}'])
def test_a_marker_that_says_nothing_is_put_away(slots: Slots, text: str) -> None:
    (slots.root / "trial.json").write_text(text)
    assert open_current(slots).path == slots.folder("a").resolve()
    assert not (slots.root / "trial.json").exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 5}', '{"a": {"id": 1}}'])
def test_verdicts_that_cannot_be_read_are_none(slots: Slots, text: str) -> None:
    (slots.root / "verdicts.json").write_text(text)
    assert slots.verdict("a") is None


@pytest.mark.parametrize("target", ["c", "../x", "/etc", "b"])
def test_a_link_that_leads_nowhere_of_ours_means_the_shipped_bundle(slots: Slots, target: str) -> None:
    (slots.root / "current").unlink()
    (slots.root / "current").symlink_to(target)
    assert slots.active() is None and open_current(slots).path == slots.shipped.resolve()


def test_a_verdict_is_of_one_bundle_alone(slots: Slots) -> None:
    assert slots.verdict("a") is not None
    verdicts = json.loads((slots.root / "verdicts.json").read_text())
    verdicts["a"]["id"] = "0" * 12
    (slots.root / "verdicts.json").write_text(json.dumps(verdicts))
    assert slots.verdict("a") is None


def test_another_account_cannot_open_the_lock_even_one_that_an_older_version_left(slots: Slots) -> None:
    lock = slots.root / "lock"
    lock.chmod(0o644)
    with slots.locked():
        assert lock.stat().st_mode & 0o777 == 0o600
    lock.unlink()
    with slots.locked():
        assert lock.stat().st_mode & 0o777 == 0o600


def test_the_newest_creation_time_is_kept_and_a_damaged_one_is_none(slots: Slots) -> None:
    assert slots.newest() is None
    slots.keep_newest("2027-01-02T00:00:00Z")
    assert slots.newest() == "2027-01-02T00:00:00Z"
    for text in ("", "[]", '{"created": 3}', '{"created": "soon"}'):
        (slots.root / "newest.json").write_text(text)
        assert slots.newest() is None
