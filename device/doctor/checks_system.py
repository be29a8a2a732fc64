"""Checks the machine for `lefthand doctor`: real time, processor, power, memory, disk, clock and service."""

from __future__ import annotations

from device.doctor.finding import Finding, Place, broken, good, notice
from device.doctor.machine import Machine
from device.status.schema import STALE_S

LEAST_MEMORY_MB, LITTLE_MEMORY_MB = 80, 160
"""Free memory in MiB: below the first the check fails, below the second it gives a notice."""
LEAST_DISK_MB, LITTLE_DISK_MB = 20, 200
"""Free disk space in MiB: below the first the check fails, below the second it gives a notice."""
BUILT = 2026
"""Year in which this program was written. A clock that shows an earlier year is wrong."""
GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
UNDERVOLTAGE, CAPPED, SLOWED, HOT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
"""Bits of get_throttled for the present state: low voltage, capped speed, throttled, soft temperature limit."""
BEFORE = 16
"""Number of bits by which the same bits are shifted left where they say that the state has occurred since the start."""


def check_real_time(machine: Machine) -> Finding:
    """Check that a thread of this account may have real-time priority. If not, give a notice."""
    if machine.real_time():
        return good("real time", "threads may have real-time priority")
    return notice(
        "real time",
        "This account may not have real-time priority, so a busy machine may make notes late; the service has its own.",
        "Put `@audio - rtprio 60` into /etc/security/limits.d/audio.conf and log in again.",
    )


def check_governor(machine: Machine) -> Finding:
    """Check that the kernel does not keep the processor at its lowest speed, the setting "powersave"."""
    found = {machine.read(path) for path in machine.find(GOVERNORS)} - {None}
    if not found:
        return good("governor", "the processor's speed is not governed by Linux here")
    named = ", ".join(sorted(name for name in found if name))
    if "powersave" in found:
        return broken(
            "governor",
            "The processor is kept at its lowest speed (powersave).",
            "Run `echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`.",
        )
    return good("governor", named)


def check_power(machine: Machine) -> Finding:
    """Check what a Raspberry Pi reports about its power supply and temperature.

    It is a fault if it is slowed down now, and a notice if it was since its start. Other machines report nothing.
    """
    said = machine.read(THROTTLED) or machine.ask("vcgencmd", "get_throttled")
    try:
        bits = int((said or "").rpartition("=")[2], 16)
    except ValueError:
        return good("power", "this machine does not report undervoltage")
    now = _power_words(bits)
    if now:
        return broken("power", f"The Pi is slowed down now: {now}.", _power_remedy(bits))
    if before := _power_words(bits >> BEFORE):
        return notice("power", f"Since its start the Pi was slowed down: {before}.", _power_remedy(bits >> BEFORE))
    return good("power", "no undervoltage, no throttling")


def check_memory(machine: Machine) -> Finding:
    """Check that enough memory is free: too little is a fault, rather little is a notice."""
    said = machine.read("/proc/meminfo") or ""
    lines = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    try:
        free_mb = int(lines["MemAvailable"].split()[0]) // 1024
    except (KeyError, ValueError, IndexError):
        return notice("memory", "The kernel does not report how much memory is free.")
    return _amount("memory", free_mb, LEAST_MEMORY_MB, LITTLE_MEMORY_MB, "End other programs.")


def check_disk(machine: Machine) -> Finding:
    """Check that enough space is free on the disk of models and recordings: too little is a fault."""
    folder = machine.state_dir()
    free_mb = machine.free_bytes(folder) // 2**20
    remedy = f"Remove old recordings, or see `sudo du -xh {folder} | sort -h | tail`."
    return _amount("disk", free_mb, LEAST_DISK_MB, LITTLE_DISK_MB, remedy, "recordings")


def check_clock(machine: Machine) -> Finding:
    """Check that the system clock is right. If not, give a notice: the logs use the clock, playing does not."""
    now = machine.now()
    shown = now.strftime("%Y-%m-%d %H:%M UTC")
    remedy = "Connect the network once, or run `sudo timedatectl set-time 'YYYY-MM-DD HH:MM'`."
    if now.year < BUILT:
        return notice("clock", f"The clock says {shown}, so the logs are misdated; playing does not need it.", remedy)
    if machine.ask("timedatectl", "show", "--property=NTPSynchronized", "--value") == "no":
        return notice("clock", f"{shown}, not set by the network; playing does not need it.")
    return good("clock", shown)


def check_service(machine: Machine) -> Finding:
    """Check that the service runs, if it is installed, and that the running box reports its status."""
    told = machine.status()
    said = machine.ask("systemctl", "show", "lefthand.service", "--property=LoadState,ActiveState,NRestarts,Result")
    unit = dict(line.split("=", 1) for line in (said or "").splitlines() if "=" in line)
    installed = unit.get("LoadState") == "loaded"
    if installed and unit.get("ActiveState") == "failed":
        result = unit.get("Result", "unknown")
        return broken(
            "service", f"lefthand.service has failed ({result}).", "See `journalctl -u lefthand -n 20`.", "log"
        )
    if told is None:
        if not installed:
            return good("service", "not installed; `lefthand run` starts it by hand")
        state = unit.get("ActiveState", "unknown")
        return broken("service", f"lefthand.service is {state}.", "Start it: `sudo systemctl start lefthand`.")
    status, age_s = told
    if not status.alive:
        return broken("service", f"Process {status.pid} has ended and left its status.", "Start the box again.")
    if age_s > STALE_S:
        return broken("service", f"Process {status.pid} has reported nothing for {age_s:.0f} s.", "Restart the box.")
    if status.state == "waiting":
        return notice("service", f"{status.message}.", "Playing starts when it is connected.", "inputs")
    restarts = unit.get("NRestarts", "0")
    if restarts != "0":
        return notice(
            "service", f"{status.message}; restarted {restarts} times.", "See `journalctl -u lefthand`.", "log"
        )
    return good("service", f"{status.state}: {status.message}")


def _amount(name: str, free_mb: int, least: int, little: int, remedy: str, place: Place = "") -> Finding:
    if free_mb < least:
        return broken(name, f"{free_mb} MB are free, at least {least} are needed.", remedy, place)
    if free_mb < little:
        return notice(name, f"Only {free_mb} MB are free.", remedy, place)
    return good(name, f"{free_mb} MB are free")


def _power_words(bits: int) -> str:
    words = {UNDERVOLTAGE: "undervoltage", CAPPED: "capped", SLOWED: "throttled", HOT: "too hot"}
    return ", ".join(word for bit, word in words.items() if bits & bit)


def _power_remedy(bits: int) -> str:
    if bits & UNDERVOLTAGE:
        return "Use the official power supply and a short cable, and connect USB devices to a hub with its own supply."
    return "Give the Pi more air or a heat sink."
