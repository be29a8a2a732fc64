"use strict";
const T = window.TEXTS;
const at = (id) => document.getElementById(id);
const LOWEST = 21, KEYS = 88, BLACK = [1, 3, 6, 8, 10], FLOOR_DB = -60, LOUD_DB = -1;
const keys = new Map(), waiting = new Map();
let beats = 0, stream = null, errorTimer = 0;

for (const element of document.querySelectorAll("[data-text]")) element.textContent = T[element.dataset.text];
document.title = T.title;
at("keys").setAttribute("aria-label", T.keyboard);
for (let pitch = LOWEST; pitch < LOWEST + KEYS; pitch++) {
  const key = document.createElement("span");
  if (BLACK.includes(pitch % 12)) key.className = "black";
  at("keys").append(key);
  keys.set(pitch, key);
}

function choices(id, texts, whole) {
  for (const [value, text] of Object.entries(texts).sort((a, b) => (isNaN(a[0]) ? 0 : a[0] - b[0]))) {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "radio"; input.name = id; input.value = value;
    input.addEventListener("change", () => order({set: {play: {[id]: whole ? Number(value) : value}}}));
    label.append(input, text);
    at(id).append(label);
  }
}
pressed("arm", false, T.unarmed);
pressed("hold", false, T.hold);
pressed("tempo-hold", false, T.holdTempo);
choices("style", T.styles, false);
choices("density", T.densities, true);
choices("register", T.registers, true);

async function post(path, body) {
  return fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
}

async function order(body) {
  try {
    const answer = await post("/order", body);
    if (answer.status === 401) { ask(); return; }
    const said = await answer.json();
    if (said.error && said.error !== "away") complain(T.refused + said.error);
  } catch { away(true); }
}

function complain(text) {
  at("error").textContent = text;
  at("error").hidden = false;
  clearTimeout(errorTimer);
  errorTimer = setTimeout(() => { at("error").hidden = true; }, 5000);
}

function away(is) {
  at("away").hidden = !is;
  if (is) clear();
}

function clear() {
  for (const timers of waiting.values()) for (const [timer] of timers) clearTimeout(timer);
  waiting.clear();
  for (const key of keys.values()) key.classList.remove("heard", "played");
}

function pressed(id, on, text) { at(id).setAttribute("aria-pressed", on); at(id).textContent = text; }

function status(now) {
  away(false);
  const steering = now.steering;
  at("message").textContent = steering && steering.counting_in ? T.counting : now.message;
  at("tempo").textContent = now.tempo === null ? "–" : Math.round(now.tempo);
  at("lock").value = now.lock ?? 0;
  at("doubt").textContent = now.doubt ? T.doubts[now.doubt.kind].replace("{beats}", now.doubt.beats) : "";
  at("level").value = now.audio.level_db ?? FLOOR_DB;
  at("clip").hidden = !(now.audio.level_db > LOUD_DB);
  at("chord").textContent = now.chord ?? "–";
  if (now.state !== "playing") clear();
  if (now.beat !== null && now.beat >= beats) grow(now.beat + 1);
  for (const id of ["arm", "hold", "tap", "tempo-hold", "count"]) at(id).disabled = !steering;
  pressed("arm", Boolean(steering && steering.armed), steering && steering.armed ? T.armed : T.unarmed);
  pressed("hold", Boolean(steering && steering.hold), steering && steering.hold ? T.held : T.hold);
  pressed("tempo-hold", Boolean(steering && steering.tempo_held), steering && steering.tempo_held ? T.heldTempo : T.holdTempo);
  if (!steering) return;
  for (const id of ["style", "density", "register"])
    for (const input of at(id).querySelectorAll("input")) input.checked = input.value === String(steering[id]);
}

function grow(number) {
  for (; beats < number; beats++) at("beats").append(document.createElement("i"));
}

function moment(m) {
  const name = m.kind.startsWith("heard") ? "heard" : "played";
  if (m.kind === "beat") {
    setTimeout(() => {
      grow(m.beat + 1);
      [...at("beats").children].forEach((dot, i) => dot.classList.toggle("now-beat", i === m.beat));
    }, Math.max(0, m.in_s * 1000));
  } else if (m.kind === "chord") {
    at("chord").textContent = m.chord;
  } else {
    const key = keys.get(m.pitch);
    if (!key) return;
    const on = !m.kind.endsWith("_end"), slot = name + m.pitch, due = performance.now() + m.in_s * 1000;
    // an end takes back what is still to come on the key, as after a panic
    const left = (waiting.get(slot) ?? []).filter(([timer, time]) => {
      if (!on && time > due) { clearTimeout(timer); return false; }
      return time > performance.now();
    });
    const timer = setTimeout(() => key.classList.toggle(name, on), Math.max(0, m.in_s * 1000));
    waiting.set(slot, [...left, [timer, due]]);
  }
}

function ask() {
  if (stream) stream.close();
  at("login").hidden = false;
  at("play").hidden = at("bar").hidden = at("away").hidden = true;
  at("code").focus();
}

async function open() {
  let allowed;
  try { allowed = (await post("/order", {settings: true})).status !== 401; } catch { away(true); setTimeout(open, 1000); return; }
  if (!allowed) { ask(); return; }
  at("login").hidden = true;
  at("play").hidden = at("bar").hidden = false;
  stream = new EventSource("/stream");
  stream.onmessage = (event) => {
    const data = JSON.parse(event.data);
    if (data.away) away(true);
    else if (data.status) status(data.status);
    else for (const m of data.moments ?? []) moment(m);
  };
  stream.onerror = () => {
    away(true);
    if (stream.readyState === EventSource.CLOSED) setTimeout(open, 1000);
  };
}

at("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await post("/login", {code: at("code").value}).catch(() => null);
  at("wrong").textContent = !answer ? T.away : answer.status === 429 ? T.codeWait : answer.ok ? "" : T.codeWrong;
  at("code").value = "";
  if (answer && answer.ok) open();
});
for (const [id, body] of [["arm", {do: "arm"}], ["hold", {do: "hold"}], ["tap", {do: "tap"}], ["tempo-hold", {do: "hold-tempo"}], ["count", {do: "count-in"}], ["panic", {do: "panic"}]])
  at(id).addEventListener("click", () => order(body));
open();
