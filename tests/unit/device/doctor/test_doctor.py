"""Each check of the doctor, on simulated machines with one fault each, and the command on a simulated machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from device.bundles.bundle import Bundle, default_bundle
from device.cli import main
from device.doctor import checks_ports, checks_software, checks_system
from device.doctor import machine as doctor_machine
from device.doctor.examine import WIDTH, examine
from device.doctor.machine import Machine
from device.errors import BundleError, missing_extra
from device.ports.port import Port, SoundInput
from device.status.schema import AudioStatus
from device.system import realtime
from tests.unit.helpers.paper_machine import CARD, KEYS, MEMINFO, NO_SUCH_PID, Paper, config, says, status


@pytest.fixture
def machine() -> Paper:
    return Paper()


# software


def test_no_runtime_is_broken(machine: Paper) -> None:
    machine.found_runtimes = []
    says(checks_software.check_runtime(machine), "broken", "No TFLite runtime", "pip install ai-edge-litert")


def test_the_old_runtime_does_not_work_with_numpy_2(machine: Paper) -> None:
    machine.found_runtimes, machine.versions["numpy"] = ["tflite"], "2.2.4"
    says(checks_software.check_runtime(machine), "broken", "numpy 2.2.4", "numpy<2")
    machine.found_runtimes = ["litert"]
    says(checks_software.check_runtime(machine), "good", "ai-edge-litert 2.3.0 with numpy 2.2.4")


def test_a_damaged_bundle_is_broken_and_leaves_nothing_to_time(machine: Paper, tmp_path: Path) -> None:
    finding, bundle = checks_software.check_bundle(machine, config(config_with_bundle(tmp_path / "gone")))
    says(finding, "broken", "gone", "Flash the bundle again")
    assert bundle is None
    says(checks_software.check_speed(machine, bundle), "notice", "without a bundle")


def test_a_fault_that_the_page_can_mend_names_the_place_there(machine: Paper, tmp_path: Path) -> None:
    machine.inputs, machine.outputs = [], []
    machine.free = 0
    machine.measured = None
    settings = config()
    found = {
        finding.name: finding.place
        for finding in (
            checks_ports.check_sound(machine, settings),
            checks_ports.check_output(machine, settings),
            checks_software.check_bundle(machine, config(config_with_bundle(tmp_path / "gone")))[0],
            checks_software.check_latency(machine, settings),
            checks_system.check_disk(machine),
            checks_software.check_runtime(machine),
        )
    }
    assert found == {
        "sound": "inputs", "MIDI out": "outputs", "bundle": "models", "latency": "calibration", "disk": "recordings",
        "runtime": "",
    }  # fmt: skip


def config_with_bundle(path: Path) -> str:
    return f'[audio]\ninput = "USB"\n[midi]\noutput = "Piano"\n[play]\nbundle = "{path}"\n'


def test_golden_vectors_are_run_through(
    machine: Paper, exported_toys: Path, toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(config_with_bundle(exported_toys / "bundle"))
    says(checks_software.check_bundle(machine, settings)[0], "good", "golden vectors are right")

    def astray(folder: Path, **kept: object) -> list[str]:
        raise BundleError("transcriber gives onset 30% off the golden values")

    monkeypatch.setattr("device.doctor.machine.preflight", astray)
    says(checks_software.check_bundle(machine, settings)[0], "broken", "30% off the golden values")


def test_a_bundle_that_was_refused_at_the_start_is_named_with_the_one_that_plays(machine: Paper) -> None:
    machine.refused = ("/var/lib/lefthand/bundles/a is not signed.",)
    finding, bundle = checks_software.check_bundle(machine, None)
    says(finding, "broken", "bundles/a is not signed.", f"{default_bundle()} plays instead.", "Flash a good bundle.")
    assert bundle is not None


def test_a_hop_may_take_a_quarter_of_its_length(machine: Paper, toy_bundle: Bundle) -> None:
    hop_s = toy_bundle.features.hop_s
    machine.hop_s = hop_s * 0.24
    says(checks_software.check_speed(machine, toy_bundle), "good", "99 of 100 within")
    machine.hop_s = hop_s * 0.26
    says(checks_software.check_speed(machine, toy_bundle), "broken", "too slow", "25% are allowed")


def test_a_zero_is_named_as_too_slow_with_the_boards_that_are_not(machine: Paper, toy_bundle: Bundle) -> None:
    machine.files[checks_software.MODEL] = "Raspberry Pi Zero 2 W Rev 1.0"
    machine.hop_s = toy_bundle.features.hop_s * 0.26
    says(checks_software.check_speed(machine, toy_bundle), "broken", "A Raspberry Pi Zero is too slow", "Use a Pi 4")
    machine.hop_s = toy_bundle.features.hop_s * 0.24
    says(checks_software.check_speed(machine, toy_bundle), "good", "99 of 100 within")


class Sleepy:
    """A machine in simulated time, on which a hop that begins after a rest takes `cold_s` and any other `warm_s`."""

    def __init__(self, warm_s: float, cold_s: float) -> None:
        self.now_s, self._warm_s, self._cold_s, self._rested = 0.0, warm_s, cold_s, False

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self._rested = True

    def step(self, *_: object) -> list[object]:
        self.now_s += self._cold_s if self._rested else self._warm_s
        self._rested = False
        return []


def test_hops_are_timed_after_a_rest_as_at_the_piano(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = Sleepy(warm_s=0.0015, cold_s=0.0045)
    engine = SimpleNamespace(step=slept.step)
    monkeypatch.setattr(doctor_machine, "Engine", lambda **_: engine)
    monkeypatch.setattr(doctor_machine, "time", SimpleNamespace(perf_counter=slept.now))
    monkeypatch.setattr(doctor_machine, "paced", lambda count, s: realtime.paced(count, s, slept.now, slept.sleep))
    times = Machine().hop_times(toy_bundle)
    # the first hop follows the warm-up without a rest
    assert times.count == round(doctor_machine.MEASURED_S / toy_bundle.features.hop_s)
    assert times.percentile_ms(50) == pytest.approx(4.5, abs=0.11)


def test_latencies_that_nobody_measured_are_noted(machine: Paper) -> None:
    says(checks_software.check_latency(machine, config()), "good", "MIDI 31 ms", "measured 2026-10-01")
    machine.measured = None
    says(checks_software.check_latency(machine, config()), "notice", "lefthand calibrate")
    given = config('[audio]\ninput = "USB"\n[midi]\noutput = "Piano"\nlatency_ms = 12\n')
    says(checks_software.check_latency(machine, given), "good", "MIDI 12 ms", "from the settings")


# ports


def test_the_sound_input_is_shown_with_its_rates(machine: Paper) -> None:
    says(checks_ports.check_sound(machine, config()), "good", "USB Audio CODEC", "48000 Hz", "44100, 48000")


def test_an_input_that_is_not_there_is_named_with_those_that_are(machine: Paper) -> None:
    machine.inputs = [(replace(CARD, name="Webcam"), ())]
    says(checks_ports.check_sound(machine, config()), "broken", '"USB Audio"', "Webcam")


def test_two_inputs_of_one_name_are_refused_with_the_candidates(machine: Paper) -> None:
    machine.inputs = [(CARD, (48_000,)), (replace(CARD, name="USB Audio Device: - (hw:2,0)"), (48_000,))]
    says(checks_ports.check_sound(machine, config()), "broken", "more than one", "(hw:1,0)", "(hw:2,0)")


def test_rates_that_do_not_fit(machine: Paper) -> None:
    machine.inputs = [(CARD, (44_100,))]
    says(checks_ports.check_sound(machine, config()), "good", "at 44100 Hz, because it has no 48000")
    wished = config('[audio]\ninput = "USB"\nrate = 96000\n[midi]\noutput = "Piano"\n')
    says(checks_ports.check_sound(machine, wished), "broken", "96000 Hz", "rate to one of 44100")


def test_a_channel_that_the_input_has_not(machine: Paper) -> None:
    wished = config('[audio]\ninput = "USB"\nchannel = 3\n[midi]\noutput = "Piano"\n')
    says(checks_ports.check_sound(machine, wished), "broken", "has 2 channels", "1 to 2")


def test_an_input_in_use_is_broken_unless_it_is_the_box_that_uses_it(machine: Paper) -> None:
    machine.inputs = [(CARD, ())]
    says(checks_ports.check_sound(machine, config()), "broken", "in use by another program")
    machine.told = status(audio=AudioStatus(str(CARD), 48_000, -20.0, 0)), 0.2
    says(checks_ports.check_sound(machine, config()), "good", "in use by the running box")


def test_the_tuning_is_shown_as_the_settings_the_running_box_or_the_file_have_it(machine: Paper) -> None:
    says(checks_ports.check_tuning(machine, config()), "good", "in tune with A4 = 440 Hz")
    machine.tuned = -38.4
    says(checks_ports.check_tuning(machine, config()), "good", "-38 cents", "as last measured")
    machine.told = status(audio=AudioStatus(str(CARD), 48_000, -20.0, 0, 12.0)), 0.2
    says(checks_ports.check_tuning(machine, config()), "good", "+12 cents", "measured by the running box")
    given = config()
    wished = dataclasses.replace(given, audio=dataclasses.replace(given.audio, tuning=-50.0))
    says(checks_ports.check_tuning(machine, wished), "good", "-50 cents", "as the settings say")


def test_sound_without_its_package_names_the_extra(machine: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> list[tuple[SoundInput, Sequence[int]]]:
        raise missing_extra("pyaudio", "live")

    monkeypatch.setattr(machine, "sound_inputs", missing)
    says(checks_ports.check_sound(machine, config()), "broken", "lefthand[live]")


def test_midi_ports(machine: Paper) -> None:
    says(checks_ports.check_output(machine, config()), "good", "Digital Piano MIDI 1")
    says(checks_ports.check_input(machine, config()), "good", "not used")
    keys = config('[audio]\ninput = "midi"\n[midi]\ninput = "organ"\noutput = "Piano"\n')
    says(checks_ports.check_input(machine, keys), "broken", '"organ"', "Digital Piano MIDI 1")
    machine.outputs = [KEYS, replace(KEYS, name="Digital Piano MIDI 2 20:1")]
    says(checks_ports.check_output(machine, config()), "broken", "MIDI 1", "MIDI 2", "write which one")


def test_the_synthesiser(machine: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "piano.sf2").touch()
    text = f'[audio]\ninput = "USB"\n[play]\nsound = "synth"\n[synth]\nsoundfont = "{tmp_path}/piano.sf2"\n'
    says(checks_ports.check_synth(machine, config()), "good", "the settings play no synthesiser")
    says(checks_ports.check_synth(machine, config(text)), "broken", "does not run", "journalctl -u lefthand-synth")
    machine.outputs = [Port("FLUID Synth (lefthand-synth):Synth input port (lefthand-synth:0) 130:0", "ALSA", 0)]
    says(checks_ports.check_synth(machine, config(text)), "good", "piano.sf2")
    says(checks_ports.check_output(machine, config(text)), "good", "the settings send no MIDI")
    says(checks_ports.check_synth(machine, config(text.replace("piano.sf2", "gone.sf2"))), "broken", "gone.sf2")
    machine.programs.clear()
    says(checks_ports.check_synth(machine, config(text)), "broken", "apt install fluidsynth")


def test_permissions(machine: Paper) -> None:
    says(checks_ports.check_permissions(machine), "good", "2 devices")
    machine.usable = False
    says(checks_ports.check_permissions(machine), "broken", "/dev/snd/controlC1", "usermod -aG audio")
    machine.nodes = []
    says(checks_ports.check_permissions(machine), "notice", "no /dev/snd")


# the machine


def test_no_real_time_permission_is_noted_with_the_remedy(machine: Paper) -> None:
    says(checks_system.check_real_time(machine), "good")
    machine.permitted = False
    says(checks_system.check_real_time(machine), "notice", "rtprio", "late")


def test_the_governor(machine: Paper) -> None:
    says(checks_system.check_governor(machine), "good", "ondemand")
    machine.files["/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"] = "powersave"
    says(checks_system.check_governor(machine), "broken", "powersave", "performance")
    machine.files.clear()
    says(checks_system.check_governor(machine), "good", "not governed")


@pytest.mark.parametrize(
    ("said", "level", "word"),
    [
        ("0x0", "good", "no undervoltage"),
        ("0x50000", "notice", "undervoltage, throttled"),
        ("0x50005", "broken", "slowed down now: undervoltage, throttled"),
        ("0x8", "broken", "too hot"),
        ("0x20000", "notice", "capped"),
        ("nonsense", "good", "does not report"),
    ],
)
def test_the_pis_own_word_on_its_power(machine: Paper, said: str, level: str, word: str) -> None:
    machine.files[checks_system.THROTTLED] = said
    says(checks_system.check_power(machine), level, word)


def test_an_older_kernel_tells_of_power_through_vcgencmd(machine: Paper) -> None:
    del machine.files[checks_system.THROTTLED]
    says(checks_system.check_power(machine), "good", "does not report")
    machine.answers["vcgencmd"] = "throttled=0x1"
    says(checks_system.check_power(machine), "broken", "undervoltage", "power supply")


@pytest.mark.parametrize(("kilobytes", "level"), [(600_000, "good"), (120_000, "notice"), (50_000, "broken")])
def test_memory(machine: Paper, kilobytes: int, level: str) -> None:
    machine.files["/proc/meminfo"] = MEMINFO.format(kilobytes)
    says(checks_system.check_memory(machine), level, "MB")


@pytest.mark.parametrize(("megabytes", "level"), [(5_000, "good"), (100, "notice"), (3, "broken")])
def test_disk(machine: Paper, megabytes: int, level: str) -> None:
    machine.free = megabytes * 2**20
    says(checks_system.check_disk(machine), level, f"{megabytes} MB")


def test_a_clock_that_is_not_set_is_noted(machine: Paper) -> None:
    says(checks_system.check_clock(machine), "good", "2026-11-01")
    machine.answers["timedatectl"] = "no"
    says(checks_system.check_clock(machine), "notice", "not set by the network")
    machine.clock = datetime(1970, 1, 1, tzinfo=UTC)
    says(checks_system.check_clock(machine), "notice", "1970-01-01", "misdated")


def test_the_service(machine: Paper) -> None:
    check = checks_system.check_service
    says(check(machine), "good", "not installed")
    machine.answers["systemctl"] = "LoadState=loaded\nActiveState=failed\nResult=watchdog\nNRestarts=3"
    says(check(machine), "broken", "failed (watchdog)", "journalctl -u lefthand")
    machine.answers["systemctl"] = "LoadState=loaded\nActiveState=inactive\nNRestarts=0"
    says(check(machine), "broken", "inactive", "systemctl start")
    machine.answers["systemctl"] = "LoadState=loaded\nActiveState=active\nNRestarts=0"
    machine.told = status(), 0.2
    says(check(machine), "good", "playing: listening to USB Audio")
    machine.told = status(state="waiting", message="waiting for MIDI output"), 0.2
    says(check(machine), "notice", "waiting for MIDI output")
    machine.told = status(), 60.0
    says(check(machine), "broken", "reported nothing for 60 s")
    machine.told = status(pid=NO_SUCH_PID), 60.0
    says(check(machine), "broken", "has ended")
    machine.answers["systemctl"] = "LoadState=loaded\nActiveState=active\nNRestarts=4"
    machine.told = status(), 0.2
    says(check(machine), "notice", "restarted 4 times")


# all of it


def test_settings_that_cannot_be_used_hide_nothing_else(machine: Paper, tmp_path: Path) -> None:
    findings = list(examine(machine, tmp_path / "none.toml"))
    says(findings[0], "broken", "none.toml does not exist")
    assert {finding.name for finding in findings} >= {"runtime", "bundle", "permissions", "service", "speed"}
    assert [finding.name for finding in findings if finding.level == "broken"] == ["settings"]


def test_every_line_has_a_name_that_fits_and_a_sentence(machine: Paper, tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text('[audio]\ninput = "USB Audio"\n[midi]\noutput = "Piano"\n')
    findings = list(examine(machine, tmp_path / "box.toml"))
    assert all(len(finding.name) <= WIDTH and finding.text for finding in findings)
    assert len({finding.name for finding in findings}) == len(findings) == 19
    assert [finding.name for finding in findings if finding.level != "good"] == []


def test_the_command_prints_a_line_a_check_and_ends_as_it_found(
    machine: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "box.toml").write_text('[audio]\ninput = "USB Audio"\n[midi]\noutput = "Piano"\n')
    monkeypatch.setattr("device.doctor.machine.Machine", lambda: machine)
    arguments = ["doctor", "--config", str(tmp_path / "box.toml")]
    ran = CliRunner().invoke(main, arguments)
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (0, 19), ran.output
    machine.outputs = []
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert 'NOT MIDI out     There is no MIDI output "Piano"' in ran.stdout
    told = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert told["broken"] == 1
    assert {"name", "level", "text", "remedy", "place"} == set(told["findings"][0])


def test_a_program_that_prints_no_utf_8_is_understood_as_far_as_it_goes() -> None:
    assert Machine().ask("printf", r"card \377 is there") == "card \N{REPLACEMENT CHARACTER} is there"
