// The watch page: its parts, and what they tell each other.

import { Gate } from "./access/gate.js";
import { Alerts } from "./alerts.js";
import { Box } from "./box.js";
import { Connection } from "./connection.js";
import { Detail } from "./detail/detail.js";
import * as format from "./format.js";
import { ListBar } from "./lists/bar.js";
import { defaults, Lists } from "./lists/lists.js";
import { motion } from "./motion.js";
import { notice } from "./notices.js";
import { recallLines, refreshDetails, refreshNames } from "./facts.js";
import { Rest } from "./rest.js";
import { keep, kept } from "./storage.js";
import { Search } from "./search.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";
import { write } from "./write.js";

const DETAILS_EVERY = 2_000;      // ms: bid, ask, volume, status, by REST
const AGES_EVERY = 200;
const LINES_EVERY = 500;
const TITLE_EVERY = 1_000;
const UNKNOWN_AGAIN = 15_000;     // a feed may still be starting
const UNKNOWN_SYMBOL = 460;
const SHORTCUT = "ticker.shortcut";   // who speaks to the browser may not want single keys

const find = (id) => document.getElementById(id);
const stream = new Stream();
const rest = new Rest();
const ask = (path) => rest.ask(path);
const lists = new Lists();
const alerts = new Alerts();
const connection = new Connection(stream, rest);
const box = new Box(ask, connection);
const table = new Table(find("prices"), find("sort"), {
  open: (symbol) => detail.open(table.get(symbol)),
  remove: removeWithUndo,
  moved: () => lists.keep(table.symbols),
});
const detail = new Detail(find("detail"), { rest, stream, alerts });
const bar = new ListBar(find("lists"), find("list"), lists, showList);
const search = new Search(find("search"), {
  ask,
  watched: (symbol) => table.has(symbol),
  add: addAndKeep,
});
const gate = new Gate(find("token"), { stream, rest, open: start, close: clear });
let details = Promise.resolve();

// What is watched: the rows, and what an alert is set for

function follow() {
  stream.watch(new Set([...table.symbols, ...alerts.symbols]));
}

function add(symbols, before = null) {
  const fresh = [...new Set(symbols)].filter((symbol) => !table.has(symbol));
  if (fresh.length) {
    table.add(fresh, before);
    follow();
    refreshDetails(ask, fresh, table);
    refreshNames(ask, fresh, table);
    recallLines(rest, fresh, table);
  }
  drawAlarms();
  drawEmpty();
}

function addAndKeep(symbols) {
  add(symbols);
  lists.keep(table.symbols);
  const added = table.get(symbols.at(-1))?.element;
  if (added?.hidden) unfilter();  // nobody adds a row to not see it
  added?.scrollIntoView({ block: "nearest" });
  say(`${symbols.join(", ")} added`);
}

function removeWithUndo(symbol) {
  const after = table.remove(symbol);
  follow();
  drawEmpty();
  lists.keep(table.symbols);
  const name = lists.shown;
  notice(`${symbol} removed`, "Undo", () => {
    if (lists.shown !== name) return;
    add([symbol], after);
    lists.keep(table.symbols);
  });
}

/** Take all rows away, without a word and without forgetting them. */
function clear() {
  detail.close();
  table.clear();
  stream.close();
}

function unfilter() {
  find("filter").value = "";
  table.filter("");
}

async function showList() {
  table.clear();
  unfilter();
  const offered = lists.symbols === null ? await defaults(ask) : [];
  if (gate.locked) return;        // nobody knows yet what the reader may see
  lists.offer(offered);
  add(lists.symbols);
  follow();
  bar.draw();
}

async function start() {
  stream.connect();
  bar.draw();
  await showList();
}

// What is said to the reader

function say(text) {
  find("announcer").textContent = text;
}

function refused({ detail: { code, symbol, message } }) {
  const row = table.get(symbol);
  if (code !== UNKNOWN_SYMBOL) return notice(`${message} (${code})`, "Dismiss", () => {}, "refusal");
  if (!row) return;
  if (!row.element.classList.contains("unknown")) {
    notice(`${symbol}: no feed here has this symbol.`, "Remove", () => {
      if (table.has(symbol)) removeWithUndo(symbol);
    }, "refusal");
  }
  row.markUnknown();
}

async function share() {
  lists.keep(table.symbols);
  try {
    await navigator.clipboard.writeText(lists.link());
    notice("Link to your lists copied");
  } catch {
    notice("The address above is the link to your lists");
  }
}

function drawEmpty() {
  find("prices").hidden = table.size === 0;
  find("empty").hidden = table.size !== 0;
}

function drawAlarms() {
  for (const row of table.rows) {
    row.alarm(alerts.of(row.symbol).map(({ price }) => format.price(price)).join(", "));
  }
}

function drawPause() {
  for (const button of document.querySelectorAll(".pause")) {
    button.textContent = motion.stopped ? "Resume" : "Pause";
  }
  say(motion.stopped ? "Paused: prices stand still" : "Prices move again");
  connection.draw();
  if (!motion.stopped) table.arrange();
}

function pageKey(event) {
  const typing = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
  if (event.key === "/" && find("shortcut").checked && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
  }
}

// Drawing: prices once per frame, ages and lines on slower beats, nothing in a hidden tab.

function every(ms, act) {
  setInterval(() => document.hidden || motion.stopped || act(), ms);
}

function drawFrame() {
  if (motion.due()) {
    table.draw();
    detail.draw();
  }
  requestAnimationFrame(drawFrame);
}

stream.addEventListener("price", ({ detail: price }) => {
  table.get(price.symbol)?.tick(price);
  detail.tick(price);
  alerts.tick(price);
});
stream.addEventListener("refusal", refused);
stream.addEventListener("state", ({ detail: { state } }) => {
  if (state !== "open") return;
  refreshDetails(ask, table.symbols, table);
  refreshNames(ask, table.symbols, table);
  box.refresh();
});
alerts.addEventListener("change", () => {
  follow();
  drawAlarms();
});
motion.addEventListener("change", drawPause);
table.addEventListener("left", () => search.focus());
table.addEventListener("arranged", ({ detail: { shown, all } }) => {
  const text = shown === all ? "" : `${shown} of ${all}`;
  write(find("shown"), text);
});
addEventListener("keydown", pageKey);
for (const button of document.querySelectorAll(".pause")) {
  button.addEventListener("click", () => motion.toggle());
}
find("filter").addEventListener("input", ({ target }) => table.filter(target.value));
find("share").addEventListener("click", share);
find("shortcut").checked = kept(SHORTCUT) !== "off";
find("shortcut").addEventListener("change", ({ target }) => keep(SHORTCUT, target.checked ? "on" : "off"));
find("defaults").addEventListener("click", async () => addAndKeep(await defaults(ask)));

every(DETAILS_EVERY, () => {
  if (stream.state !== "open") return;
  details = details.then(() => refreshDetails(ask, table.symbols, table));
});
every(UNKNOWN_AGAIN, () => {
  const unknown = [...table.rows].filter(({ element }) => element.classList.contains("unknown"));
  if (unknown.length) stream.again(unknown.map(({ symbol }) => symbol));
});
every(AGES_EVERY, () => {
  for (const row of table.near) row.drawAge(rest.now());
});
every(LINES_EVERY, () => {
  for (const row of table.near) row.drawSparkline();
});
setInterval(() => {
  if (motion.stopped && !alerts.title) return;
  const [first] = table.rows;
  document.title = alerts.title || (first ? `${first.title} · ticker` : "ticker");
}, TITLE_EVERY);

gate.begin();
drawFrame();
