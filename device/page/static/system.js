"use strict";
// The view of the box: models, version, log, and switching off where this machine allows it.
const SYSTEM_MS = 5000;
let systems = 0;

shows.system = async () => {
  const mine = ++systems;
  fetch("/card").then((answer) => (answer.ok ? answer.text() : "")).then((text) => { at("card").textContent = text; }).catch(() => {});
  fetch("/rollback").then((answer) => (answer.ok ? answer.json() : {})).then((can) => { at("rollback").hidden = !can.ok; }).catch(() => {});
  fetch("/power").then((answer) => (answer.ok ? answer.json() : {})).then((can) => { at("power").hidden = !can.ok; }).catch(() => {});
  while (mine === systems) {
    const said = document.hidden ? null : await order({look: "system"}, true);
    if (said && mine === systems) system(said.look);
    await new Promise((done) => setTimeout(done, SYSTEM_MS));
  }
};
hides.system = () => {
  systems++;
  for (const forget of [stay, ...Object.values(notNow)]) forget();
};

function day(text) {
  const date = new Date(text ?? "");
  return isNaN(date) ? text ?? "?" : date.toLocaleDateString(LOCALE, {dateStyle: "medium"});
}

function system({slots, version, log}) {
  at("slots").replaceChildren(...slots.map((one) => {
    const item = make("li", one.id ? T.slot(one.slot, one.name ?? "?", one.version ?? "?", day(one.created)) : T.empty(one.slot), one.current ? "good" : "");
    if (one.current) item.append(make("b", T.playing));
    if (one.why) item.append(make("em", one.why));
    return item;
  }));
  const faults = Object.entries(latest ? latest.faults : {}).filter(([, count]) => count).map(([name, count]) => `${count} × ${name}`);
  at("version").textContent = T.version(version, faults.length ? T.faults(faults.join(", ")) : T.noFaults);
  const below = at("log").scrollTop + at("log").clientHeight >= at("log").scrollHeight - 5;
  at("log").textContent = log.join("\n");
  if (below) at("log").scrollTop = at("log").scrollHeight;
}

// a wrong touch during a concert must not switch the box off
const notNow = {
  restart: asksTwice("restart", T.restart, T.restartSure, () => power("restart")),
  off: asksTwice("off", T.off, T.offSure, () => power("off")),
};
at("restart").addEventListener("click", () => notNow.off());
at("off").addEventListener("click", () => notNow.restart());

async function power(what) {
  const answer = await post("/power", {power: what}).catch(() => null);
  const said = answer ? await answer.json() : {error: T.away};
  at("power-says").textContent = said.error ?? T.powerAsked;
}

// as long as systemd lets it run
const MOST_ROLLBACK_MS = 300000;
const stay = asksTwice("rollback", T.rollback, T.rollbackSure, async () => {
  at("rollback").disabled = true;
  at("rollback-says").textContent = T.rollbackBegins;
  const answer = await post("/rollback", {rollback: true}).catch(() => null);
  let said = answer ? await answer.json() : {error: T.away};
  const until = Date.now() + MOST_ROLLBACK_MS;
  while (!said.error && !said.over && Date.now() < until) {
    await new Promise((done) => setTimeout(done, 500));
    const now = await fetch("/rollback").catch(() => null);
    if (now && now.status === 401) { ask(); break; }
    if (now && now.ok) said = await now.json();
    if (said.text) at("rollback-says").textContent = said.text;
  }
  if (said.error) at("rollback-says").textContent = said.error;
  at("rollback").disabled = false;
});
