"use strict";
// In the view for setting up: a note to try the output, the guided calibration, and foot switches that are learnt.

options("switch", T.switchActions);

at("note").addEventListener("click", async () => {
  const output = document.querySelector("#outputs :checked"), synth = at("sound").value === "synth";
  at("note").disabled = true;
  at("note-says").textContent = T.notePlays;
  const said = await order({note: synth || !output ? "" : output.value});
  at("note").disabled = false;
  at("note-says").textContent = said ? T.notePlayed : "";
});

// what runs, as the status says it: so each phone shows it, also one that comes later
const errand = (kind) => (latest && latest.errand && latest.errand.kind === kind ? latest.errand : null);
const runs = (kind) => Boolean(errand(kind) && errand(kind).state === "running");

function says(id, now) {
  const text = now ? (now.state === "failed" ? T.failed(now.text) : capital(now.text)) : "";
  if (at(id).textContent !== text) at(id).textContent = text;
}

let shownErrand = "";
follows.push(() => {
  const key = latest && latest.errand ? `${latest.errand.kind} ${latest.errand.state} ${latest.errand.text}` : "";
  // a switch that was learnt is a changed setting
  if (key !== shownErrand && view === "setup") read();
  shownErrand = key;
  const now = errand("calibration"), learns = errand("learning");
  at("calibrate").textContent = runs("calibration") ? T.calibrationEnd : T.calibrationBegin;
  at("calibrated").hidden = !runs("calibration");
  if (now && now.of) { at("calibrated").max = now.of; at("calibrated").value = now.done; } else at("calibrated").removeAttribute("value");
  says("calibration-says", now);
  at("learn").textContent = runs("learning") ? T.learnEnd : T.learnBegin;
  says("learn-says", learns);
  at("calibrate").disabled = runs("learning");
  at("learn").disabled = runs("calibration");
});

// the notes must come back through a sound input. A right hand that comes by MIDI has none of its own
reads.push(({values}) => {
  at("ear").hidden = (values.audio ?? {}).input !== "midi";
  const controls = Object.entries(values.controls ?? {}).filter(([, text]) => text);
  at("switched").replaceChildren(...controls.map(([name, text]) => {
    const item = make("li", T.switched(T.switchActions[name] ?? name, text)), button = make("button", T.forget);
    button.setAttribute("aria-label", `${T.forget}: ${T.switchActions[name] ?? name}`);
    button.addEventListener("click", async () => {
      const port = controls.length === 1 && (values.midi ?? {}).control ? {midi: {control: null}} : {};
      if (await order({set: {controls: {[name]: null}, ...port}})) read();
    });
    item.append(button);
    return item;
  }));
});
looks.push(({sound_inputs}) => {
  const names = sound_inputs.map(({name}) => name);
  if ([...at("ear-input").options].map((option) => option.value).join() !== names.join())
    at("ear-input").replaceChildren(...names.map((name) => new Option(name, name)));
});

at("calibrate").addEventListener("click", () =>
  order({calibrate: runs("calibration") ? false : at("ear").hidden ? "" : at("ear-input").value}));
at("learn").addEventListener("click", () => order({learn: runs("learning") ? false : at("switch").value}));
