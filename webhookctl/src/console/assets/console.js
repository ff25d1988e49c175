// What HTML and htmx do not: times in the reader's zone, dialogs, copying, keys, and the live tail.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (text) => { $("#said").textContent = text; };

// ---- times ----

const TIME = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function age(at, now = Date.now()) {
  const seconds = Math.round((now - at) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
  const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds < 0 ? `in ${amount}` : `${amount} ago`;
}

function localize(root) {
  for (const time of $$("time[datetime]", root)) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.dateTime;
    time.textContent = at.toLocaleString(undefined, TIME);
    time.dataset.age = age(at.getTime());
  }
}

// On a narrow screen each row is a card, whose cells say their column.
function label(root) {
  for (const table of $$("table", root)) {
    const names = $$("thead th", table).map((cell) => cell.textContent);
    for (const row of $$("tbody tr", table)) {
      [...row.cells].forEach((cell, place) => { cell.dataset.label = names[place] ?? ""; });
    }
  }
}

// ---- dialogs ----

function open(dialog) {
  if (!dialog.open) dialog.showModal();
  const first = $("[autofocus]", dialog) || $("[data-closes]", dialog) || $("button", dialog);
  first?.focus();
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-opens], [data-closes], [data-copy]");
  if (!target) return;
  if (target.dataset.opens) open(document.getElementById(target.dataset.opens));
  if ("closes" in target.dataset) target.closest("dialog")?.close();
  if (target.dataset.copy) {
    navigator.clipboard.writeText(target.dataset.copy).then(() => say("Copied."), () => say("Not copied."));
  }
});

// The button that opened the dialog may be gone: its panel was loaded again.
document.addEventListener("close", (event) => {
  if (event.target.id === "action") event.target.replaceChildren();
}, true);

document.addEventListener("htmx:load", (event) => {
  const part = event.detail.elt;
  localize(part);
  label(part);
  if (part.closest("#action")) open($("#action"));
});

document.addEventListener("htmx:afterRequest", (event) => {
  event.detail.target?.closest?.("[aria-busy]")?.setAttribute("aria-busy", "false");
});

// An answer with an error status has a page or a sentence too; without any, the console has ended.
document.addEventListener("htmx:beforeSwap", (event) => {
  event.detail.shouldSwap = event.detail.xhr.status !== 403 || event.detail.target.id === "action";
});

document.addEventListener("htmx:sendError", (event) => {
  const problem = document.createElement("p");
  problem.className = "problem";
  problem.setAttribute("role", "alert");
  problem.textContent = "The console does not answer: it may have been ended in its terminal.";
  event.detail.target.replaceChildren(problem);
});

// ---- live tail ----

const TAIL_MS = 2000;
let tail = null;

// An event may be published so long after its acceptance. No tick reads more than this and what came since
// the last one.
const OVERLAP_MS = 60_000;
let readAt = performance.timeOrigin;

async function newest(button) {
  const panel = $("[data-panel]");
  const url = new URL(button.dataset.tail, location.href);
  url.searchParams.set("since", new Date(readAt - OVERLAP_MS).toISOString());
  const now = Date.now();
  const answer = await fetch(url);
  if (!answer.ok) return stop(button);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if ($(".problem", page)) {
    panel.replaceChildren(...page.body.childNodes);
    return stop(button);
  }
  readAt = now;
  if (!$("table.list", page)) return;
  const body = $("table.list tbody", panel);
  if (!body) {
    panel.replaceChildren(...page.body.childNodes);
    htmx.process(panel);
    localize(panel);
    label(panel);
    return;
  }
  const known = new Map($$("tr", body).map((row) => [row.dataset.key, row]));
  const rows = $$("table.list tbody tr", page).filter((row) => !known.has(row.dataset.key));
  // Deliveries of the rows that are there already go on.
  for (const row of $$("table.list tbody tr", page)) {
    const before = known.get(row.dataset.key);
    const [from, to] = [before && $(".dots", before), $(".dots", row)];
    if (from && to) from.replaceWith(to);
  }
  rows.forEach((row) => row.classList.add("new"));
  body.prepend(...rows);
  $$("tr", body).slice(500).forEach((row) => row.remove());
  localize(body);
  label(panel);
  if (rows.length) say(`${rows.length} new`);
}

function stop(button) {
  clearInterval(tail);
  tail = null;
  button.setAttribute("aria-pressed", "false");
}

function toggle(button) {
  if (tail) return stop(button);
  button.setAttribute("aria-pressed", "true");
  tail = setInterval(() => newest(button).catch(() => stop(button)), TAIL_MS);
  newest(button).catch(() => stop(button));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#tail");
  if (button) toggle(button);
});

// ---- keys ----

const rows = () => $$("table.list tbody tr");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("current"));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  all.forEach((row) => row.classList.toggle("current", row === next));
  ($("a", next) || next).focus();
  next.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  "/": () => $("#filter")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  t: () => $("#tail")?.click(),
  r: () => ($("tr.current button[data-key-r]") || $("main button[data-key-r]"))?.click(),
  "?": () => open($("#help")),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

localize(document);
