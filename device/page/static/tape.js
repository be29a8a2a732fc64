"use strict";
// The files of a recording: the notes in them, and the left hand as sound.
const LONGEST_TONE_S = 6, AHEAD_S = 0.3, DECAY_S = 1.2;

// notes.csv: onset_s, offset_s, midi_pitch, velocity, confidence, decided_s, hand
function heardNotes(csv) {
  const notes = [];
  for (const line of csv.split("\n").slice(1)) {
    const cells = line.split(",");
    if (cells.length < 7 || cells[6].trim() === "own") continue;
    const onset = Number(cells[0]), end = cells[1].trim() === "" ? onset + 1 : Number(cells[1]);
    notes.push({onset, end, pitch: Number(cells[2]), velocity: Number(cells[3])});
  }
  return notes;
}

// beats.csv: time_s, position in the bar from 0, lock
function beatTimes(csv) {
  return csv.split("\n").slice(1).map((line) => line.split(",")).filter((cells) => cells.length >= 3)
    .map(([time, position]) => ({time: Number(time), first: Number(position) === 0}));
}

// A MIDI file as a recording writes it: one tempo for the whole file, whole status bytes or running status. A file that was cut off
// is read as far as it goes.
function midiNotes(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer), notes = [];
  if (bytes.length < 14) return notes;
  const perQuarter = view.getUint16(12);
  let tempo = 500000, at = 14;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at + 4), end = Math.min(bytes.length, at + 8 + length), down = new Map();
    at += 8;
    let ticks = 0, status = 0;
    const number = () => { let value = 0, byte; do { byte = bytes[at++] ?? 0; value = value * 128 + (byte & 127); } while (byte & 128); return value; };
    while (at < end) {
      ticks += number();
      if (at >= end) break;
      if (bytes[at] & 128) status = bytes[at++];
      if (status === 0xff || status === 0xf0 || status === 0xf7) {
        const kind = status === 0xff ? bytes[at++] : 0, size = number();
        if (kind === 0x51) tempo = bytes[at] * 65536 + bytes[at + 1] * 256 + bytes[at + 2];
        at += size;
        continue;
      }
      const pitch = bytes[at], velocity = bytes[at + 1], seconds = ticks * tempo / perQuarter / 1e6, kind = status & 0xf0;
      at += kind === 0xc0 || kind === 0xd0 ? 1 : 2;
      if ((kind === 0x90 || kind === 0x80) && down.has(pitch)) { down.get(pitch).end = seconds; down.delete(pitch); }
      if (kind === 0x90 && velocity > 0) {
        const note = {onset: seconds, end: seconds + 1, pitch, velocity};
        down.set(pitch, note);
        notes.push(note);
      }
    }
    at = end;
  }
  return notes.sort((a, b) => a.onset - b.onset);
}

// Plays notes beside a clock: `position()` is the place in the recording in seconds.
class Hands {
  constructor(notes) { this.notes = notes; this.context = null; this.next = 0; this.timer = 0; this.sounding = new Set(); }

  start(position) {
    // Listen may be pressed twice while the sound loads
    this.stop();
    this.context ??= new AudioContext();
    this.context.resume();
    this.next = this.notes.findIndex((note) => note.onset >= position());
    if (this.next < 0) this.next = this.notes.length;
    this.timer = setInterval(() => this.ahead(position()), 1000 * AHEAD_S / 3);
    this.ahead(position());
  }

  stop() {
    clearInterval(this.timer);
    for (const gain of this.sounding) gain.disconnect();
    this.sounding.clear();
  }

  ahead(now) {
    for (; this.next < this.notes.length && this.notes[this.next].onset < now + AHEAD_S; this.next++) {
      const note = this.notes[this.next];
      this.tone(note, this.context.currentTime + Math.max(0, note.onset - now));
    }
  }

  // three partials with the decay of a string
  tone(note, at) {
    const {context} = this, gain = context.createGain(), hertz = 440 * 2 ** ((note.pitch - 69) / 12);
    const long = Math.min(LONGEST_TONE_S, Math.max(0.1, note.end - note.onset)), loud = 0.25 * (note.velocity / 127) ** 1.5;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(loud, at + 0.005);
    gain.gain.setTargetAtTime(0, at + 0.005, DECAY_S);
    gain.gain.setTargetAtTime(0, at + long, 0.05);
    gain.connect(context.destination);
    this.sounding.add(gain);
    [1, 0.4, 0.15].forEach((share, i) => {
      const tone = context.createOscillator(), part = context.createGain();
      tone.frequency.value = hertz * (i + 1);
      part.gain.value = share;
      tone.connect(part).connect(gain);
      tone.start(at);
      tone.stop(at + long + 0.4);
      tone.onended = () => { if (i === 0) { gain.disconnect(); this.sounding.delete(gain); } };
    });
  }
}

function drawRoll(canvas, {heard, played, beats, seconds: length}, position) {
  const seconds = Math.max(1, length);
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * scale; canvas.height = height * scale;
  const context = canvas.getContext("2d"), colours = getComputedStyle(document.documentElement);
  context.scale(scale, scale);
  const pitches = [...heard, ...played].map((note) => note.pitch);
  const low = Math.min(48, ...pitches) - 2, high = Math.max(72, ...pitches) + 2, step = height / (high - low);
  context.fillStyle = colours.getPropertyValue("--line");
  for (let pitch = low - low % 12 + 12; pitch < high; pitch += 12) context.fillRect(0, height - (pitch - low) * step, width, 1);
  // a bar begins with a line over the whole height, the other beats have a short one
  for (const {time, first} of beats) context.fillRect(time / seconds * width, first ? 0 : height - 10, first ? 1.5 : 1, height);
  for (const [notes, name] of [[heard, "--heard"], [played, "--played"]]) {
    context.fillStyle = colours.getPropertyValue(name);
    for (const note of notes)
      context.fillRect(note.onset / seconds * width, height - (note.pitch - low + 1) * step, Math.max(1.5, (note.end - note.onset) / seconds * width), Math.max(2, step - 1));
  }
  context.fillStyle = colours.getPropertyValue("--text");
  context.fillRect(position / seconds * width, 0, 1.5, height);
}
