"use strict";
const T = window.TEXTS;
const at = (id) => document.getElementById(id);
const LOWEST = 21, KEYS = 88, BLACK = [1, 3, 6, 8, 10], FLOOR_DB = -60, LOUD_DB = -1;
const keys = new Map(), waiting = new Map();
const VIEWS = ["play", "setup", "recordings", "system"], shows = {}, hides = {}, follows = [];
// the box sends its status four times a second. After this long without it the page says so, and connects again: the
// browser itself does not notice for minutes that the plug was pulled
const SILENT_MS = 5000, GIVEN_UP_MS = 15000;
const SECOND_PRESS_MS = 4000;
// how this browser writes a date, such as en-GB
const LOCALE = navigator.languages.find((each) => each.split("-")[0] === T.language) ?? T.language;
let beats = 0, stream = null, errorTimer = 0, view = null, heardAt = 0;

for (const element of document.querySelectorAll("[data-text]")) element.textContent = T[element.dataset.text];
for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", T[element.dataset.label]);
document.title = T.title;
document.documentElement.lang = T.language;
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
at("variation").textContent = T.variation(1);
choices("style", T.styles, false);
choices("density", T.densities, true);
choices("register", T.registers, true);

async function post(path, body, signal) {
  return fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body), signal});
}

// what the box answers; null if there is no answer, which is then on the screen already
async function order(body, quiet = false) {
  try {
    const answer = await post("/order", body);
    if (answer.status === 401) { ask(); return null; }
    const said = await answer.json();
    if (!said.error) return said;
    if (said.error !== "away" && !quiet) complain(T.refused + said.error);
  } catch { away(true); }
  return null;
}

function show(name) {
  if (view === name) return;
  if (view && hides[view]) hides[view]();
  view = name;
  for (const each of VIEWS) at(each).hidden = each !== name;
  for (const button of document.querySelectorAll("[data-view]"))
    button.setAttribute("aria-current", button.dataset.view === name ? "page" : "false");
  window.scrollTo(0, 0);
  if (shows[name]) shows[name]();
}
for (const button of document.querySelectorAll("[data-view]"))
  button.addEventListener("click", () => { location.hash = button.dataset.view; });
window.addEventListener("hashchange", () => { if (view) show(wanted()); });

function wanted() { return VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "play"; }

function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

// a sentence of the box with a capital letter at its beginning. A path such as /etc/lefthand.toml stays as it is
function capital(text) { return text.slice(0, 1).toUpperCase() + text.slice(1); }

function complain(text) {
  at("error").textContent = text;
  at("error").hidden = false;
  clearTimeout(errorTimer);
  errorTimer = setTimeout(() => { at("error").hidden = true; }, 5000);
}

// A button that acts at a second press, which it asks for with `question`. Returns what forgets the first press, as
// happens by itself after some seconds.
function asksTwice(id, text, question, act) {
  let timer = 0;
  const forget = () => { clearTimeout(timer); at(id).textContent = text; };
  at(id).addEventListener("click", () => {
    const again = at(id).textContent === question;
    forget();
    if (again) { act(); return; }
    at(id).textContent = question;
    timer = setTimeout(forget, SECOND_PRESS_MS);
  });
  return forget;
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
  for (const follow of follows) follow(now);
  const steering = now.steering;
  at("message").textContent = steering && steering.counting_in ? T.counting : capital(now.message);
  // what is connected may have another name than the settings give
  at("elsewhere").hidden = now.state !== "waiting";
  at("tempo").textContent = now.tempo === null ? "–" : Math.round(now.tempo);
  at("lock").value = now.lock ?? 0;
  at("doubt").textContent = now.doubt ? T.doubts[now.doubt.kind].replace("{beats}", now.doubt.beats) : "";
  at("level").value = now.audio.level_db ?? FLOOR_DB;
  // a right hand that comes by MIDI has no level
  at("level").parentElement.hidden = now.audio.level_db === null;
  at("clip").hidden = now.audio.level_db === null || now.audio.level_db <= LOUD_DB;
  at("chord").textContent = now.chord ?? "–";
  if (now.state !== "playing") clear();
  if (now.beat !== null && now.beat >= beats) grow(now.beat + 1);
  for (const id of ["arm", "hold", "tap", "tempo-hold", "count", "fill", "variation", "ending"]) at(id).disabled = !steering;
  pressed("arm", Boolean(steering && steering.armed), steering && steering.armed ? T.armed : T.unarmed);
  pressed("hold", Boolean(steering && steering.hold), steering && steering.hold ? T.held : T.hold);
  at("variation").textContent = T.variation(steering ? steering.variation : 1);
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
  if (view && hides[view]) hides[view]();
  view = null;
  for (const each of [...VIEWS, "bar", "views", "away"]) at(each).hidden = true;
  at("code").focus();
}

async function open() {
  const given = new AbortController(), timer = setTimeout(() => given.abort(), GIVEN_UP_MS);
  let allowed;
  try { allowed = (await post("/order", {settings: true}, given.signal)).status !== 401; } catch { away(true); setTimeout(open, 1000); return; }
  finally { clearTimeout(timer); }
  if (!allowed) { ask(); return; }
  at("login").hidden = true;
  at("bar").hidden = at("views").hidden = false;
  show(wanted());
  stream = new EventSource("/stream");
  heardAt = performance.now();
  stream.onmessage = (event) => {
    heardAt = performance.now();
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

setInterval(() => {
  if (!stream || stream.readyState === EventSource.CLOSED) return;
  const silent = performance.now() - heardAt;
  if (silent > SILENT_MS) away(true);
  if (silent > GIVEN_UP_MS) { stream.close(); open(); }
}, 1000);
