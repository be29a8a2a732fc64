"""The view for setting up in Chromium: ports, settings, the doctor, and a box whose settings cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from chromium import Chromium
from demo_site import DemoSite, until
from selenium.webdriver.support.select import Select

from device.doctor.finding import Place
from device.settings.choices import KEYS


@pytest.fixture
def setup(page: Chromium) -> Iterator[Chromium]:
    page.script("location.hash = 'setup'")
    page.shown("setup")
    yield page
    page.script("location.hash = 'play'")


def changed(site: DemoSite) -> dict[str, Any]:
    changes = site.asked({"settings": True})["settings"]["changed"]
    return {f"{change['section']}.{change['key']}": change["value"] for change in changes}


def test_the_ports_are_there_with_the_level_of_the_one_in_use(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.all("#inputs label") and setup.all("#outputs label"), "the ports are listed")
    assert "right-hand.flac" in setup.at("inputs").text and "no instrument" in setup.at("outputs").text
    assert setup.all("#inputs input:checked") and setup.all("#outputs input:checked")
    level = "return document.querySelector('#inputs label:has(:checked) meter').value"
    until(lambda: float(setup.script(level)) > -40, "its level moves")
    until(lambda: setup.all("#inputs label:has(:checked) .lamp.on"), "its lamp is on")
    setup.shown("panic")


def test_settings_are_stored_and_begin_a_new_session(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.at("channel").get_attribute("value") == "1", "the settings are shown")
    since = site.until(lambda status: status.state == "playing", "playing").since
    setup.script("const field = document.getElementById('channel'); field.value = 5; "
                 "field.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    setup.press("use")
    setup.says("used", "Stored")
    assert changed(site) == {"midi.channel": 5}
    site.until(lambda status: status.since != since or status.state == "playing", "it plays again")
    setup.says("changes", "[midi] channel is 5")
    # one wrong touch removes nothing
    first = setup.script("const button = document.getElementById('reset'); button.click(); return button.textContent")
    assert "again" in first and changed(site) == {"midi.channel": 5}
    setup.script("for (let i = 0; i < 2; i++) document.getElementById('reset').click()")
    until(lambda: changed(site) == {}, "the change is removed")


def test_settings_that_nobody_has_changed_are_not_said_to_be_stored(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.at("channel").get_attribute("value") == "1", "the settings are shown")
    setup.press("use")
    setup.says("used", "Nothing")
    assert changed(site) == {}


def test_the_key_of_the_music_is_chosen_and_the_box_knows_each(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.at("channel").get_attribute("value") == "1", "the settings are shown")
    keys = setup.script("return [...document.getElementById('music-key').options].map((option) => option.value)")
    assert keys[0] == "" and sorted(KEYS[key] for key in keys[1:]) == list(range(24))
    Select(setup.at("music-key")).select_by_value("Bb major")
    setup.press("use")
    setup.says("used", "Stored")
    assert changed(site) == {"play.key": "Bb major"}
    Select(setup.at("music-key")).select_by_value("")
    setup.press("use")
    until(lambda: changed(site) in ({}, {"play.key": ""}), "the box finds the key")


def test_what_the_box_waits_for_is_said_where_its_ports_are_chosen(setup: Chromium) -> None:
    until(lambda: setup.all("#inputs label"), "the ports are listed")
    said = setup.script(
        "const waiting = {...latest, state: 'waiting', message: 'waiting for a piano', steering: null};"
        "status(waiting); return document.getElementById('waits').textContent"
    )
    assert said == "Waiting for a piano"
    setup.shown("waits", False)


def test_a_port_has_its_name_alone_and_what_arrives_describes_it(setup: Chromium) -> None:
    until(lambda: setup.all("#inputs .lamp.on"), "sound arrives")
    port = setup.all("#inputs input")[0]
    assert port.accessible_name == "right-hand.flac [file]"
    described = setup.at(port.get_attribute("aria-describedby") or "")
    assert described.text in ("arrives", "nothing yet")


def test_a_long_word_beside_a_port_leaves_its_name_in_one_piece(setup: Chromium) -> None:
    until(lambda: setup.all("#inputs label"), "the ports are listed")
    height = setup.script(
        "const [name, word] = document.querySelectorAll('#inputs label:has(:checked) > :is(span, small)');"
        "name.textContent = 'Digital Piano'; word.textContent = 'a long word '.repeat(5);"
        "return name.getBoundingClientRect().height / parseFloat(getComputedStyle(name).fontSize)"
    )
    assert height < 2


def test_what_another_phone_has_changed_meanwhile_is_shown_and_stays(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.at("channel").get_attribute("value") == "1", "the settings are shown")
    setup.script("document.getElementById('channel').value = 5")
    site.asked({"set": {"clock": {"meter": "3/4"}, "play": {"split": 60}}})
    setup.script("read()")
    until(lambda: setup.at("meter").get_attribute("value") == "3/4", "the other change is shown")
    assert setup.at("channel").get_attribute("value") == "5"
    setup.press("use")
    until(lambda: "midi.channel" in changed(site), "the own change is stored")
    assert changed(site) == {"midi.channel": 5, "clock.meter": "3/4", "play.split": 60}


def test_the_output_that_another_phone_has_chosen_is_checked_unless_one_is_chosen_here(setup: Chromium) -> None:
    until(lambda: setup.all("#outputs input:checked"), "the output is listed")
    # in one script, so that the list of the demo does not come between
    seen = setup.script(
        """const found = {sound_inputs: [], midi_inputs: [], midi_outputs: [{name: 'one'}, {name: 'two'}]}, seen = [];
        const list = (output) => {
          settings.values.midi.output = output;
          ports(found);
          seen.push(document.querySelector('#outputs :checked').value);
        };
        list('one');
        list('two');
        document.querySelector("#outputs [value='one']").click();
        list('two');
        settle();
        list('one');
        list('two');
        read();
        return seen"""
    )
    assert seen == ["one", "two", "one", "one", "two"]


def test_the_port_between_programs_is_listed_last_and_said_to_be_no_instrument(setup: Chromium) -> None:
    until(lambda: setup.all("#outputs input:checked"), "the output is listed")
    seen = setup.script(
        """const names = ['Midi Through:Midi Through Port-0 14:0 [ALSA]', 'Digital Piano [ALSA]'];
        for (const label of document.querySelectorAll('#inputs label, #outputs label')) label.remove();
        ports({sound_inputs: [], midi_inputs: names.map((name) => ({name, arrived: false})),
          midi_outputs: names.map((name) => ({name}))});
        return ['inputs', 'outputs'].map((id) => [...document.querySelectorAll(`#${id} label`)].map(
          (label) => [label.querySelector('span').textContent, label.querySelector('small').textContent]))"""
    )
    through = "leads from program to program: no instrument is there"
    for (first, word), (last, warning) in seen:
        assert first == "Digital Piano [ALSA]"
        assert word in {"", "nothing yet"}
        assert last == "Midi Through:Midi Through Port-0 14:0 [ALSA]"
        assert warning == through


def test_a_key_that_was_changed_in_the_file_later_is_shown(site: DemoSite, setup: Chromium) -> None:
    before = site.settings.read_text(encoding="utf-8")
    site.asked({"set": {"midi": {"channel": 7}}})
    try:
        # [midi] is the last section of the demo's file
        site.settings.write_text(f"{before}channel = 3\n", encoding="utf-8")
        setup.script("location.hash = 'play'")
        setup.script("location.hash = 'setup'")
        setup.says("changes", "[midi] channel was changed in the file later")
    finally:
        site.settings.write_text(before, encoding="utf-8")


def test_a_value_that_cannot_be_used_is_refused_in_the_words_of_the_box(site: DemoSite, setup: Chromium) -> None:
    until(lambda: setup.at("channel").get_attribute("value") == "1", "the settings are shown")
    setup.script("document.querySelector('#clock').value = 'fixed'")
    setup.press("use")
    setup.says("error", "tempo is missing")
    assert changed(site) == {}


def test_confidence_says_what_it_does_and_takes_effect(site: DemoSite, setup: Chromium) -> None:
    until(lambda: "usual" in setup.at("confidence-says").text, "the sentence is shown")
    setup.script("const field = document.getElementById('confidence'); field.value = 0.8; "
                 "field.dispatchEvent(new Event('input')); field.dispatchEvent(new Event('change'))")  # fmt: skip
    setup.says("confidence-says", "fewer false")
    until(lambda: changed(site) == {"audio.confidence": 0.8}, "it is stored")


def test_the_doctor_shows_its_findings_with_remedies(setup: Chromium) -> None:
    setup.press("examine")
    until(lambda: len(setup.all("#findings li b")) > 5, "the findings are shown")
    levels = [item.get_attribute("class") for item in setup.all("#findings > li")]
    assert levels == sorted(levels, key=["broken", "notice", "good"].index) and levels.count("good") == 1
    assert all(item.text for item in setup.all("#findings > li"))
    # what is in order is one line until it is opened
    assert not any(item.is_displayed() for item in setup.all("#findings details li"))
    setup.script("document.querySelector('#findings summary').click()")
    assert all(item.is_displayed() for item in setup.all("#findings details li"))


def test_what_needs_something_comes_first_and_leads_to_where_it_can_be_done(setup: Chromium) -> None:
    names = [*get_args(Place)[1:], ""]
    one = {"level": "broken", "text": "It is `so`.", "remedy": "Run `this`."}
    found = [{"name": "well", "level": "good", "text": "in order", "remedy": "", "place": ""}]
    found += [{**one, "name": f"name {place}", "place": place} for place in names]
    setup.script("at('findings').replaceChildren(...findings(arguments[0]))", found)
    items = setup.all("#findings > li")
    assert items[-1].text == "In order: 1 other check" and len(items) == len(names) + 1
    # a command is named only where the page has no place for it
    assert ["Run this." in item.text for item in items[:-1]] == [place == "" for place in names]
    assert [element.text for element in items[-2].find_elements("css selector", "code")] == ["so", "this"]
    for number, place in enumerate(names[:-1]):
        setup.script("location.hash = 'setup'; show('setup')")
        setup.script("document.querySelectorAll('#findings a')[arguments[0]].click()", number)
        view, id_ = setup.script("return PLACES[arguments[0]]", place)
        setup.shown(view)
        assert setup.script("return location.hash") == f"#{view}"
        in_sight = (
            "const box = at(arguments[0]).getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0"
        )
        assert setup.script(in_sight, id_), place


def test_a_box_in_order_says_so_in_one_line(setup: Chromium) -> None:
    found = [{"name": name, "level": "good", "text": "well", "remedy": "", "place": ""} for name in "abc"]
    setup.script("at('findings').replaceChildren(...findings(arguments[0]))", found)
    assert setup.at("findings").text == "Everything is in order (3 checks)"


def test_a_box_that_was_never_set_up_says_why_and_is_set_up_here(tmp_path: Path, browser: Chromium) -> None:
    with DemoSite(tmp_path, settings="[midi]\nprogram = 5\n") as site:
        site.until(lambda status: status.state == "waiting", "it waits")
        browser.open(f"{site.address}/#setup", site.cookie, "setup")
        browser.says("problem", "[audio] input is missing")
        # an owner who knows no settings file is told what to do in the words of the page
        assert "Choose below" in browser.at("problem").text
        until(lambda: browser.all("#inputs label") and browser.all("#outputs label"), "the ports are listed")
        for group in ("inputs", "outputs"):
            browser.script("document.querySelector(arguments[0]).click()", f"#{group} label input")
        browser.press("use")
        site.until(lambda status: status.state == "playing", "it plays")
        browser.shown("problem", False)
        assert "Choose below" not in browser.script("return at('problem').textContent")
        stored = json.loads((site.state / "changes.json").read_text())
        assert {change["key"] for change in stored["files"][str(site.settings)]} == {"input", "output"}


def test_a_note_a_calibration_and_a_switch_are_asked_for_and_their_state_is_shown(
    site: DemoSite, setup: Chromium
) -> None:
    until(lambda: setup.all("#outputs input:checked"), "the output is listed")
    setup.press("note")
    setup.says("note-says", "was sent")
    setup.says("calibrate", "Calibrate")
    setup.press("calibrate")
    setup.says("error", "no instrument that could be calibrated")
    setup.press("learn")
    setup.says("learn-says", "Press the switch")
    setup.says("learn", "End")
    setup.press("learn")
    setup.says("learn-says", "it was ended")
    # the progress of a calibration, as the status of a box with ports has it
    setup.script(
        "latest = {...latest, errand: {kind: 'calibration', state: 'running', text: 'playing', done: 3, of: 12}};"
        "for (const follow of follows.slice(1)) follow(latest);"
        "const bar = document.getElementById('calibrated'); window.seen = [bar.hidden, bar.value, bar.max]"
    )
    assert setup.script("return window.seen") == [False, 3, 12]
