"use strict";
// The view of the recordings: begin and end one, look at it, listen to it, take it along, delete it.
const LIST_MS = 3000;
let listing = 0, tape = null;

function clock(seconds) {
  const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

shows.recordings = async () => {
  const mine = ++listing;
  while (mine === listing) {
    await list();
    await new Promise((done) => setTimeout(done, LIST_MS));
  }
};
hides.recordings = () => { listing++; shut(); };
follows.push((now) => {
  pressed("record", Boolean(now.recording), now.recording ? T.recording(now.recording) : T.record);
});
pressed("record", false, T.record);

async function list() {
  const said = document.hidden ? null : await order({look: "recordings"}, true);
  if (!said) return;
  const {recordings, current, room_s} = said.look;
  const cut = latest ? latest.faults["recordings ended early"] : 0;
  at("room").textContent = T.room(room_s < 36000 ? (room_s / 3600).toFixed(1) : Math.round(room_s / 3600)) + (cut ? " " + T.endedEarly(cut) : "");
  // another phone has deleted what is open here, and a new recording may get its number
  if (tape && !recordings.some((one) => one.number === tape.number && one.began === tape.began)) shut();
  const rows = recordings.map((one) => {
    const key = JSON.stringify([one, current]), there = [...at("tapes").children].find((row) => row.dataset.key === key);
    if (there) return there;
    const date = one.began ? new Date(one.began).toLocaleString(LOCALE, {dateStyle: "medium", timeStyle: "short"}) : "";
    const row = make("li", T.tape(one.number, date, clock(one.seconds), (one.bytes / 1e6).toFixed(1)));
    row.dataset.key = key;
    row.dataset.number = one.number;
    if (one.number !== current) {
      const button = make("button", T.open);
      button.setAttribute("aria-label", `${T.open} ${one.number}`);
      button.addEventListener("click", () => openTape(one));
      row.append(button);
    }
    return row;
  });
  const same = rows.length === at("tapes").children.length && rows.every((row, i) => row === at("tapes").children[i]);
  if (!same || !rows.length) at("tapes").replaceChildren(...(rows.length ? rows : [make("li", T.noRecordings)]));
}

async function openTape(one) {
  shut();
  const path = `/recording/${one.number}/`;
  tape = {...one, heard: [], played: [], beats: [], from: 0, begun: 0, on: false};
  const mine = tape;
  at("tape").hidden = false;
  at("tape-name").textContent = one.number;
  at("tape-says").textContent = T.loading;
  at("roll").setAttribute("aria-label", T.roll);
  at("seek").max = one.seconds;
  at("save-sound").hidden = !one.sound;
  at("save-keys").hidden = one.sound;
  at("save-sound").href = path + "capture.wav?save";
  at("save-keys").href = path + "capture.mid?save";
  at("save-left").href = path + "sent.mid?save";
  place(0);
  at("tape").scrollIntoView({block: "start"});
  at("tape-name").focus({preventScroll: true});
  try {
    const [notes, sent] = await Promise.all(["notes.csv", "sent.mid"].map(async (name) => {
      const answer = await fetch(path + name);
      if (!answer.ok) throw new Error(name);
      return answer;
    }));
    const heard = heardNotes(await notes.text()), played = midiNotes(await sent.arrayBuffer());
    // recordings of older versions have no file of beats
    const told = await fetch(path + "beats.csv"), beats = told.ok ? beatTimes(await told.text()) : [];
    if (tape !== mine) return;
    Object.assign(tape, {heard, played, beats});
    // by MIDI there is no sound of the right hand, so both hands are rendered
    tape.hands = new Hands(one.sound ? played : [...heard, ...played].sort((a, b) => a.onset - b.onset));
    if (one.sound) at("sounding").src = path + "capture.wav";
    at("tape-says").textContent = T.heardAndPlayed(heard.length, played.length);
    place(0);
  } catch { if (tape === mine) at("tape-says").textContent = T.unreadable; }
}

function shut() {
  pause();
  unsure();
  // a phone has room for a few of them
  if (tape && tape.hands && tape.hands.context) tape.hands.context.close();
  tape = null;
  at("sounding").removeAttribute("src");
  at("tape").hidden = true;
}

// the place in the recording, in seconds
function position() {
  if (!tape.on) return tape.from;
  return tape.sound ? at("sounding").currentTime : tape.from + (performance.now() - tape.begun) / 1000;
}

function tell(seconds) {
  at("position").textContent = `${clock(seconds)} / ${clock(tape.seconds)}`;
  at("seek").setAttribute("aria-valuetext", at("position").textContent);
}

function place(seconds) {
  tape.from = seconds;
  if (document.activeElement !== at("seek") || tape.on) at("seek").value = seconds;
  tell(seconds);
  pressed("listen", tape.on, tape.on ? T.pause : T.listen);
  drawRoll(at("roll"), tape, seconds);
}

async function listen() {
  if (!tape || !tape.hands) return;
  const mine = tape;
  tape.hands.context ??= new AudioContext();
  if (tape.sound) {
    at("sounding").currentTime = tape.from;
    try { await at("sounding").play(); } catch { if (tape === mine) at("tape-says").textContent = T.unreadable; return; }
  }
  if (tape !== mine) return;
  tape.begun = performance.now();
  tape.on = true;
  tape.hands.start(position);
  const follow = () => {
    if (tape !== mine || !mine.on) return;
    const now = position();
    if (now >= mine.seconds || (mine.sound && at("sounding").ended)) { pause(); mine.from = 0; place(0); return; }
    at("seek").value = now;
    tell(now);
    drawRoll(at("roll"), mine, now);
    setTimeout(follow, 100);
  };
  place(position());
  follow();
}

function pause() {
  if (!tape || !tape.on) return;
  const now = position();
  tape.on = false;
  at("sounding").pause();
  tape.hands.stop();
  place(now);
}

at("record").addEventListener("click", async () => {
  await order({record: at("record").getAttribute("aria-pressed") !== "true"});
  list();
});
at("listen").addEventListener("click", () => (tape && tape.on ? pause() : listen()));
at("seek").addEventListener("input", () => {
  // `pause` moves a slider that has no focus, as on an iPhone
  const on = tape.on, wanted = Number(at("seek").value);
  pause();
  place(wanted);
  if (on) listen();
});
const unsure = asksTwice("delete", T.delete, T.deleteSure, async () => {
  const {number} = tape;
  shut();
  if (await order({delete: number})) list();
});
