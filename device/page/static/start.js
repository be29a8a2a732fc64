"use strict";
at("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await post("/login", {code: at("code").value}).catch(() => null);
  at("wrong").textContent = !answer ? T.away : answer.status === 429 ? T.codeWait : answer.ok ? "" : T.codeWrong;
  at("code").value = "";
  if (answer && answer.ok) open();
});
for (const [id, body] of [["arm", {do: "arm"}], ["hold", {do: "hold"}], ["tap", {do: "tap"}], ["tempo-hold", {do: "hold-tempo"}], ["count", {do: "count-in"}], ["fill", {do: "fill"}], ["variation", {do: "variation"}], ["ending", {do: "ending"}],
  ["panic", {do: "panic"}]])
  at(id).addEventListener("click", () => order(body));
open();
