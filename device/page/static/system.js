"use strict";
// The view of the box: models, version, log, and switching off where this machine allows it.
const SYSTEM_MS = 5000;
let systems = 0;

shows.system = async () => {
  const mine = ++systems;
  fetch("/card").then((answer) => (answer.ok ? answer.text() : "")).then((text) => { at("card").textContent = text; }).catch(() => {});
  fetch("/power").then((answer) => (answer.ok ? answer.json() : {})).then((can) => { at("power").hidden = !can.ok; }).catch(() => {});
  while (mine === systems) {
    const said = document.hidden ? null : await order({look: "system"}, true);
    if (said && mine === systems) system(said.look);
    await new Promise((done) => setTimeout(done, SYSTEM_MS));
  }
};
hides.system = () => { systems++; };

function system({slots, version, log}) {
  at("slots").replaceChildren(...slots.map((one) => {
    const item = make("li", one.id ? T.slot(one.slot, one.name ?? "?", one.version ?? "?", one.created ?? "?") : T.empty(one.slot), one.current ? "good" : "");
    if (one.current) item.append(make("b", T.playing));
    if (one.why) item.append(make("em", one.why));
    return item;
  }));
  const faults = Object.entries(latest ? latest.faults : {}).filter(([, count]) => count).map(([name, count]) => `${name} ${count}`);
  at("version").textContent = T.version(version, faults.length ? T.faults(faults.join(", ")) : T.noFaults);
  const below = at("log").scrollTop + at("log").clientHeight >= at("log").scrollHeight - 5;
  at("log").textContent = log.join("\n");
  if (below) at("log").scrollTop = at("log").scrollHeight;
}

for (const id of ["restart", "off"]) at(id).addEventListener("click", async () => {
  const answer = await post("/power", {power: id}).catch(() => null);
  const said = answer ? await answer.json() : {error: T.away};
  at("power-says").textContent = said.error ?? T.powerAsked;
});
