"use strict";
// The view for setting up: ports with what arrives there, settings, the doctor.
const METERS = ["4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "5/4", "7/8"], AGAIN_MS = 700;
const USUAL = {"play.sound": "midi", "clock.mode": "follow", "clock.meter": "4/4", "play.key": "", "midi.channel": 1, "play.split": 55};
const reads = [], looks = [];
// the ports that were checked here for the owner, by group. Another one that is checked is the owner's choice
const checked = {};
let looking = 0, rows = 0, settings = null, latest = null;

function options(id, texts) {
  for (const [value, text] of Object.entries(texts)) {
    const option = make("option", text);
    option.value = value;
    at(id).append(option);
  }
}
options("sound", T.sounds);
options("clock", T.clocks);
options("music-key", T.keys);
options("meter", Object.fromEntries(METERS.map((meter) => [meter, meter])));

const fields = () => document.querySelectorAll("#ports [name*='.']");

// the owner has changed a field that no longer has the value that was shown. Only such fields are stored, because
// another phone may have changed the others
const isOwners = (field) => field.value !== field.dataset.shown;

// what the fields have now is no longer a change of the owner's
function settle() {
  for (const field of fields()) field.dataset.shown = field.value;
  for (const group of ["input", "output"]) checked[group] = document.querySelector(`#${group}s :checked`)?.value;
}

shows.setup = async () => {
  settle();
  at("used").textContent = "";
  const mine = ++looking;
  let known = await read();
  while (mine === looking) {
    // the box may have been away for a moment
    if (!known) known = await read();
    const said = document.hidden ? null : await order({look: "ports"}, true);
    if (mine !== looking) return;
    if (said) { ports(said.look); for (const each of looks) each(said.look); }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
};
hides.setup = () => { looking++; };
follows.push((now) => {
  const came = latest === null || latest.state !== now.state || latest.message !== now.message;
  latest = now;
  waits();
  if (view === "setup" && came) read();
});

// what the box waits for, where the ports are chosen. A problem of the settings says it already
function waits() {
  const on = Boolean(latest && latest.state === "waiting" && at("problem").hidden);
  at("waits").hidden = !on;
  const text = on ? capital(latest.message) : "";
  if (at("waits").textContent !== text) at("waits").textContent = text;
}

async function read() {
  const said = await order({settings: true}, true);
  if (!said) return false;
  settings = said.settings;
  const {values, problem, changed, overtaken, file} = settings;
  at("problem").hidden = !problem;
  const {audio = {}, midi = {}, play = {}} = values, silent = !midi.output && play.sound !== "synth";
  at("problem").replaceChildren(...(problem && (!audio.input || silent) ? [make("b", T.chooseFirst)] : []), problem);
  waits();
  for (const field of fields()) {
    if (isOwners(field)) continue;
    const [section, key] = field.name.split(".");
    const value = (values[section] ?? {})[key];
    if (field.tagName === "SELECT" && value && ![...field.options].some((option) => option.value === value))
      field.append(new Option(value, value));
    field.value = value ?? USUAL[field.name] ?? "";
    field.dataset.shown = field.value;
  }
  const confidence = (values.audio ?? {}).confidence ?? 0.5;
  if (document.activeElement !== at("confidence")) at("confidence").value = confidence;
  at("confidence-says").textContent = T.confidenceSays(confidence);
  at("file").textContent = changed.length + overtaken.length ? T.file(file) : T.nothingChanged(file);
  const shown = (value) => (value === null ? T.absent : typeof value === "string" ? `"${value}"` : String(value));
  at("changes").replaceChildren(
    ...changed.map((c) => make("li", T.change(`[${c.section}] ${c.key}`, shown(c.value), shown(c.in_file)))),
    ...overtaken.map((c) => make("li", T.overtaken(`[${c.section}] ${c.key}`), "notice")));
  at("reset").disabled = !(changed.length + overtaken.length);
  for (const each of reads) each(settings);
  return true;
}

// a row of a list of ports, which stays the same element while the port is there, so that the choice and the focus stay
function row(list, group, value, name, kind) {
  let label = [...list.children].find((each) => each.dataset.value === value);
  if (!label) {
    label = make("label");
    label.dataset.value = value;
    const input = make("input");
    input.type = "radio"; input.name = group; input.value = value;
    const span = make("span", name), small = make("small");
    span.id = `port-${++rows}`; small.id = `${span.id}-says`;
    input.setAttribute("aria-labelledby", span.id);
    input.setAttribute("aria-describedby", small.id);
    label.append(input, span, small);
    if (kind === "sound") {
      const meter = make("meter");
      meter.min = -60; meter.max = 0; meter.high = -3; meter.optimum = -20;
      meter.setAttribute("aria-label", T.level);
      label.append(meter);
    }
    list.append(label);
  }
  return label;
}

function chosen(group) {
  const {audio = {}, midi = {}} = settings ? settings.values : {};
  const named = group === "output" ? midi.output : audio.input === "midi" ? "midi:" + midi.input : "sound:" + audio.input;
  if ([...at(group + "s").querySelectorAll("input")].some((input) => input.value === named)) return named;
  // the settings may name a port by a part of its name, and the status has the name of the one that is open
  if (group === "output") return (latest && latest.midi.output) ?? named;
  return latest && latest.audio.port ? "sound:" + latest.audio.port : latest && latest.midi.input ? "midi:" + latest.midi.input : named;
}

// check the port that the settings name, unless the owner has chosen another one
function check(group) {
  const inputs = [...at(group + "s").querySelectorAll("input")], now = inputs.find((input) => input.checked);
  const wanted = inputs.find((input) => input.value === chosen(group));
  if (!wanted || (now && now.value !== checked[group])) return;
  wanted.checked = true;
  checked[group] = wanted.value;
}

// Linux always has this port, which only leads from one program to another
function isThrough(name) { return name.startsWith("Midi Through"); }
function lastIfThrough(found) { return [...found].sort((a, b) => isThrough(a.name) - isThrough(b.name)); }

function ports(found) {
  const seen = new Set(), open = latest ? [latest.audio.port, latest.midi.input, latest.midi.output] : [];
  const said = (label, text, on) => {
    const small = label.querySelector("small");
    small.textContent = text;
    small.classList.add("lamp");
    small.classList.toggle("on", on);
    seen.add(label);
  };
  for (const {name, level_db} of found.sound_inputs) {
    const used = name === open[0] || isChosen("input", "sound:" + name), label = row(at("inputs"), "input", "sound:" + name, name, "sound");
    const level = used && latest && latest.audio.level_db !== null ? latest.audio.level_db : level_db;
    label.querySelector("meter").value = level ?? -60;
    said(label, level === null ? T.closed : level > -50 ? T.arrives : T.quiet, level !== null && level > -50);
  }
  for (const {name, arrived} of lastIfThrough(found.midi_inputs)) {
    const used = name === open[1], label = row(at("inputs"), "input", "midi:" + name, name, "midi");
    const recent = used && latest.heard.some((note) => note.age_s < 1);
    said(label, arrived || recent ? T.arrives : isThrough(name) ? T.through : T.quiet, arrived || recent);
  }
  for (const {name} of lastIfThrough(found.midi_outputs)) {
    const label = row(at("outputs"), "output", name, name, "midi");
    const inUse = name === open[2] || isChosen("output", name);
    said(label, isThrough(name) ? T.through : inUse ? T.inUse : "", name === open[2] && !isThrough(name));
  }
  for (const id of ["inputs", "outputs"]) {
    for (const label of at(id).querySelectorAll("label")) if (!seen.has(label)) label.remove();
    const none = at(id).querySelector(".empty");
    if (none) none.remove();
    if (!at(id).querySelector("label")) at(id).append(make("p", T.none, "empty"));
  }
  check("input");
  check("output");
}

function isChosen(group, value) { return Boolean(latest && latest.state === "playing") && chosen(group) === value; }

at("ports").addEventListener("input", () => { at("used").textContent = ""; });
at("ports").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = {};
  const put = (section, key, value) => { (wanted[section] ??= {})[key] = value; };
  for (const field of fields()) {
    if (!isOwners(field)) continue;
    const [section, key] = field.name.split(".");
    const value = field.type === "number" ? (field.value === "" ? null : Number(field.value)) : field.value;
    const was = (settings.values[section] ?? {})[key] ?? USUAL[field.name] ?? null;
    if (value !== was) put(section, key, value);
  }
  const input = document.querySelector("#inputs :checked"), output = document.querySelector("#outputs :checked");
  if (!input || input.value === checked.input) {
    // the settings name it already
  } else if (input.value.startsWith("midi:")) {
    put("audio", "input", "midi");
    put("midi", "input", input.value.slice(5));
  } else put("audio", "input", input.value.slice(6));
  if (output && output.value !== checked.output) put("midi", "output", output.value);
  const none = !Object.keys(wanted).length;
  if (none) at("used").textContent = T.unchanged;
  else if (await order({set: wanted})) {
    at("used").textContent = T.used;
    settle();
    read();
  }
});
at("confidence").addEventListener("input", () => { at("confidence-says").textContent = T.confidenceSays(Number(at("confidence").value)); });
at("confidence").addEventListener("change", async () => {
  await order({set: {audio: {confidence: Number(at("confidence").value)}}});
  read();
});
// the ports and foot switches that were chosen here go too, so a wrong touch would end the concert
asksTwice("reset", T.reset, T.resetSure, async () => { settle(); await order({reset: true}); read(); });
at("examine").addEventListener("click", async () => {
  at("examine").disabled = true;
  at("findings").replaceChildren(make("li", T.examining));
  const said = await order({look: "doctor"});
  at("examine").disabled = false;
  at("findings").replaceChildren(...(said ? findings(said.look.findings) : []));
});

// where the owner can do something about a finding: the view, and what is to be seen and to have the focus there
const PLACES = {inputs: ["setup", "inputs"], outputs: ["setup", "outputs"], calibration: ["setup", "calibrate"],
  recordings: ["recordings", "tapes"], models: ["system", "slots"], log: ["system", "log"]};

function goTo(name, id) {
  show(name);
  location.hash = name;
  at(id).scrollIntoView({block: "center"});
  (at(id).querySelector("input:checked, input, button") ?? at(id)).focus({preventScroll: true});
}

// a sentence of the box, in which `…` is a command for a terminal
function sentence(tag, text) {
  const element = make(tag);
  element.append(...text.split("`").map((part, i) => (i % 2 ? make("code", part) : part)));
  return element;
}

// what needs something comes first. What is in order is one line, which opens
function findings(all) {
  const of = (level) => all.filter((one) => one.level === level), rest = of("good");
  const items = [...of("broken"), ...of("notice")].map(({name, level, text, remedy, place}) => {
    const item = make("li", undefined, level);
    item.append(make("b", `${T.levels[level]}: ${name}`), sentence("span", text));
    if (PLACES[place]) {
      const link = make("a", T.places[place]);
      link.href = "#" + PLACES[place][0];
      link.addEventListener("click", (event) => { event.preventDefault(); goTo(...PLACES[place]); });
      item.append(link);
    } else if (remedy) item.append(sentence("em", remedy));
    return item;
  });
  if (rest.length) {
    const item = make("li", undefined, "good"), more = make("details"), list = make("ul");
    more.append(make("summary", (items.length ? T.restGood : T.allGood)(rest.length)), list);
    list.append(...rest.map(({name, text}) => {
      const one = make("li");
      one.append(make("b", name), sentence("span", text));
      return one;
    }));
    item.append(more);
    items.push(item);
  }
  return items;
}
