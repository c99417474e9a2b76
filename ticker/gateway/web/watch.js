// The watch page: a row for each symbol, and the state of the connection and the box.

import { Detail } from "./detail.js";
import * as format from "./format.js";
import { notice } from "./notices.js";
import { Rest } from "./rest.js";
import { Row } from "./row.js";
import { Search } from "./search.js";
import { chosen, defaults, link, remember } from "./symbols.js";
import { Ticker } from "./ticker.js";
import { TokenForm } from "./token.js";

const DETAILS_EVERY = 2_000;      // ms: bid, ask, volume, status, by REST
const BOX_EVERY = 5_000;
const AGES_EVERY = 200;
const LINES_EVERY = 500;
const UNKNOWN_AGAIN = 15_000;     // a feed may still be starting
const AT_ONCE = 400;              // symbols in one question
const LINES_AT_ONCE = 50;
const MINUTES = 60;               // of a line
const NOBODY_IS_ASKED = 410;      // the answer to `auth`

const find = (id) => document.getElementById(id);
const body = find("prices").tBodies[0];
const rows = new Map();           // symbol -> Row, in the order of the page
const ticker = new Ticker();
const rest = new Rest();
const ask = (path) => rest.ask(path);
const detail = new Detail(find("detail"), rest);
const openDetail = (symbol, company) => detail.open(symbol, company);
let details = Promise.resolve();

// Rows

function add(symbols, before = null) {
  const fresh = symbols.filter((symbol) => !rows.has(symbol));
  for (const symbol of fresh) {
    const row = new Row(symbol, removeWithUndo, openDetail);
    rows.set(symbol, row);
    row.element.tabIndex = -1;
    body.insertBefore(row.element, before);
  }
  if (fresh.length) {
    ticker.subscribe(fresh);
    refreshDetails(fresh);
    refreshNames(fresh);
    recallLines(fresh);
  }
  tidy();
}

function addAndRemember(symbols) {
  add(symbols);
  remember(rows.keys());
  const row = rows.get(symbols.at(-1));
  row?.element.scrollIntoView({ block: "nearest" });
  say(`${symbols.join(", ")} added`);
}

function removeWithUndo(symbol) {
  const element = rows.get(symbol).element;
  const after = element.nextElementSibling;
  const next = after ?? element.previousElementSibling;
  const hadFocus = element.contains(document.activeElement);
  rows.delete(symbol);
  element.remove();
  ticker.unsubscribe([symbol]);
  tidy();
  remember(rows.keys());
  if (hadFocus) focusRow(next);
  notice(`${symbol} removed`, "Undo", () => {
    add([symbol], after?.isConnected ? after : null);
    inPageOrder();
    remember(rows.keys());
  });
}

/** Take all rows away, without a word and without forgetting them. */
function clear() {
  ticker.unsubscribe([...rows.keys()]);
  rows.clear();
  body.replaceChildren();
}

/** Keep the map in the order of the table, which is what links and storage carry. */
function inPageOrder() {
  const order = [...body.rows].map((element) => rows.get(element.dataset.symbol));
  rows.clear();
  for (const row of order) rows.set(row.symbol, row);
}

function tidy() {
  find("prices").hidden = rows.size === 0;
  find("empty").hidden = rows.size !== 0;
  if (!body.querySelector("[tabindex='0']")) body.rows[0]?.setAttribute("tabindex", "0");
}

// Keys: one row is in the tab order, arrows move between rows.

function focusRow(element) {
  if (!element) return find("symbol").focus();
  for (const row of body.rows) row.tabIndex = row === element ? 0 : -1;
  element.focus();
}

function rowKey(event) {
  const element = event.target.closest("tr");
  if (!element || event.ctrlKey || event.metaKey) return;
  const toward = { ArrowUp: "previousElementSibling", ArrowDown: "nextElementSibling" }[event.key];
  const neighbour = toward && element[toward];
  if (event.key === "Delete" || event.key === "Backspace") {
    removeWithUndo(element.dataset.symbol);
  } else if (event.key === "Enter" && event.target === element) {
    openDetail(element.dataset.symbol, rows.get(element.dataset.symbol).company);
  } else if (neighbour && event.altKey) {
    if (event.key === "ArrowUp") neighbour.before(element);
    else neighbour.after(element);
    inPageOrder();
    remember(rows.keys());
    focusRow(element);
  } else if (neighbour) {
    focusRow(neighbour);
  } else if (!toward) {
    return;
  }
  event.preventDefault();
}

function pageKey(event) {
  const typing = event.target.closest?.("input, textarea, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
  }
}

// What the stream does not carry comes by REST.

async function inLists(symbols, act, most = AT_ONCE) {
  for (let at = 0; at < symbols.length; at += most) {
    try {
      await act(symbols.slice(at, at + most).map(encodeURIComponent).join(","));
    } catch {
      return;                     // the connection's state tells it already
    }
  }
}

function refreshDetails(symbols) {
  return inLists(symbols, async (list) => {
    const { prices, no_price_yet: untraded } = await ask(`prices?symbols=${list}`);
    for (const price of prices) rows.get(price.symbol)?.describe(price);
    for (const symbol of untraded) rows.get(symbol)?.markUntraded();
  });
}

/** The last hour of each, where the server keeps a history and the token shows it. */
async function recallLines(symbols) {
  const { store } = await ask("status").catch(() => ({}));
  if (!store || store.state === "off") return;
  await inLists(symbols, async (list) => {
    const { bars } = await ask(`bars?symbols=${list}&limit=${MINUTES}`);
    for (const each of bars) rows.get(each.symbol)?.recall(each.bars, rest.now());
  }, LINES_AT_ONCE);
}

function refreshNames(symbols) {
  return inLists(symbols, async (list) => {
    const { symbols: listed } = await ask(`symbols?limit=${AT_ONCE}&symbols=${list}`);
    for (const each of listed) rows.get(each.symbol)?.list(each);
  });
}

async function refreshBox() {
  try {
    drawBox(await ask("status"));
  } catch { /* as above */ }
}

function drawBox({ version, feeds, symbols }) {
  const parts = feeds.map(({ name, state, lag }) =>
    `${name} ${state}${lag === null ? "" : `, ${format.duration(lag)} behind the exchange`}`);
  find("box").textContent =
    [...parts, `${format.count(symbols)} symbols`, `ticker ${version}`].join("  ·  ");
  const bad = feeds.filter(({ state }) => state !== "live");
  const banner = find("banner");
  banner.hidden = bad.length === 0;
  const text = bad.map(({ name, state }) => `Feed ${name} is ${state}.`).join(" ")
    + " Its prices are the last ones known.";
  if (banner.textContent !== text) banner.textContent = text;
}

// What is said to the reader

function say(text) {
  find("announcer").textContent = text;
}

function refused({ detail }) {
  const { code, symbol, message, reason } = detail;
  const row = rows.get(symbol);
  if (code === 460 && row) {
    if (!row.element.classList.contains("unknown")) {
      notice(`${symbol}: no feed here has this symbol.`, "Remove", () => {
        if (rows.has(symbol)) removeWithUndo(symbol);
      }, "refusal");
    }
    row.markUnknown();
  } else if (code === NOBODY_IS_ASKED && ticker.token) {
    TokenForm.forget();           // of a server that asks no more
    useToken("");
  } else {
    notice(`${message || reason} (${code})`, "Dismiss", () => {}, "refusal");
  }
}

let retryAt = 0;
let refusal = "";                 // why the server does not open a stream to this page
let opened = false;               // it did once

function connection({ detail: { state, delay, reason, failures } }) {
  const before = document.body.dataset.connection;
  document.body.dataset.connection = state;
  retryAt = performance.now() + delay;
  drawConnection();
  if (state === "open") {
    opened = true;
    drawRefusal("");
    say("Live");
    refreshDetails([...rows.keys()]);
    refreshNames([...rows.keys()]);
    refreshBox();
  } else if (state === "refused") {
    lock(ticker.token ? reason : "");
  } else if (before === "open" && state === "waiting") {
    say("Connection lost, reconnecting");
  } else if (state === "waiting" && failures > 1) {
    explain();                    // twice: more than a restart
  }
}

async function explain() {
  const found = await rest.refusal("stream", opened);
  if (ticker.state !== "open") drawRefusal(found);
}

function drawRefusal(text) {
  if (text === refusal) return;
  refusal = text;
  const banner = find("banner");
  banner.hidden = !text;
  banner.textContent = text;
  drawConnection();
}

function drawConnection() {
  const seconds = Math.ceil((retryAt - performance.now()) / 1000);
  const text = {
    open: "Live",
    connecting: refusal ? "Refused" : rows.size ? "Connecting…" : "Starting",
    waiting: refusal ? "Refused" : navigator.onLine
      ? seconds > 1 ? `Reconnecting in ${seconds} s` : "Reconnecting…"
      : "Offline",
    refused: "Token needed",
    closed: form.shown ? "Token needed" : "Closed",
  }[ticker.state];
  const shown = find("connection-text");
  if (shown.textContent !== text) shown.textContent = text;
}

async function share() {
  remember(rows.keys());
  try {
    await navigator.clipboard.writeText(link(rows.keys()));
    notice("Link to these symbols copied");
  } catch {
    notice("The address above is the link to these symbols");
  }
}

// Where the server asks for a token: nothing is shown before it has a right one.

const form = new TokenForm(find("token"), enter);

function useToken(token) {
  rest.token = ticker.token = token;
  find("forget").hidden = !token;
}

/** The token opened nothing, or there is none: `wrong` says what the server said of it. */
function lock(wrong) {
  if (form.shown) return;
  TokenForm.forget();
  useToken("");
  document.body.dataset.locked = "";
  ticker.close();
  clear();
  form.show(wrong);
  drawConnection();
}

/** Try a token; what is wrong with it, or "". */
async function enter(token) {
  let wrong = "The server does not answer. Try again in a moment.";
  const hear = ({ detail }) => wrong = detail;
  rest.addEventListener("unauthorised", hear);
  rest.token = token;
  try {
    await ask("status");
  } catch {
    rest.token = "";
    return wrong;
  } finally {
    rest.removeEventListener("unauthorised", hear);
  }
  TokenForm.keep(token);
  useToken(token);
  delete document.body.dataset.locked;
  form.hide();
  start();
  return "";
}

/** Leave nothing of it in this tab. */
function forget() {
  TokenForm.forget();
  location.reload();
}

async function start() {
  ticker.connect();
  const symbols = chosen() ?? await defaults(ask);
  if (!form.shown) add(symbols);
}

// Drawing: prices once per frame, ages and lines on slower beats, nothing in a hidden tab.

function everyVisible(ms, act) {
  setInterval(() => document.hidden || act(), ms);
}

function drawFrame() {
  for (const row of rows.values()) row.draw();
  requestAnimationFrame(drawFrame);
}

function reconnectNow() {
  if (ticker.state === "waiting" && !document.hidden) ticker.connect();
}

const search = new Search(find("search"), {
  ask,
  watched: (symbol) => rows.has(symbol),
  add: addAndRemember,
});

ticker.addEventListener("price", ({ detail: price }) => {
  rows.get(price.symbol)?.tick(price);
  detail.tick(price);
});
ticker.addEventListener("refusal", refused);
ticker.addEventListener("state", connection);
rest.addEventListener("unauthorised", ({ detail }) => lock(rest.token ? detail : ""));
addEventListener("online", reconnectNow);
addEventListener("keydown", pageKey);
document.addEventListener("visibilitychange", reconnectNow);
body.addEventListener("keydown", rowKey);
find("share").addEventListener("click", share);
find("forget").addEventListener("click", forget);
find("defaults").addEventListener("click", async () => addAndRemember(await defaults(ask)));

everyVisible(DETAILS_EVERY, () => {
  if (ticker.state !== "open") return;
  details = details.then(() => refreshDetails([...rows.keys()]));
});
everyVisible(BOX_EVERY, () => ticker.state === "open" && refreshBox());
everyVisible(UNKNOWN_AGAIN, () => {
  const unknown = [...rows.values()].filter(({ element }) => element.classList.contains("unknown"));
  if (unknown.length) ticker.subscribe(unknown.map(({ symbol }) => symbol));
});
everyVisible(AGES_EVERY, () => {
  for (const row of rows.values()) row.drawAge(rest.now());
  drawConnection();
});
everyVisible(LINES_EVERY, () => {
  for (const row of rows.values()) row.drawSparkline();
});
everyVisible(1_000, () => {
  const [first] = rows.values();
  document.title = first ? `${first.title} · ticker` : "ticker";
});

useToken(TokenForm.stored());
start();
drawFrame();
