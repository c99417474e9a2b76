// One watched symbol: what is known of it, and its row of the table.

import * as format from "./format.js";
import { motion } from "./motion.js";
import { write } from "./write.js";

const MINUTE = 60_000;
const LONGEST = 60 * MINUTE;      // that a line spans
const SHORTEST = 10_000;          // ms that a young line spans
const SAMPLE_EVERY = 100;         // ms: a closer price replaces the last sample
const MOST_SAMPLES = 640;         // beyond them the line is thinned to some for each pixel
const THINNED = LONGEST / 320;
const FLASH = 650;
const FLASH_EVERY = 250;          // ms: a busy symbol must not glare
const WIDTH = 160, HEIGHT = 36;   // of the sparkline's view box
const BADGES = {
  halted: "Halted", paused: "Paused", quote_only: "Quotes only", closed: "Closed",
  unconfirmed: "Unconfirmed",
};

const template = document.getElementById("row");

export class Row {
  near = true;                    // in sight, or soon
  #symbol;
  #price = null;
  #time = NaN;                    // ms, of the last trade
  #direction = 0;                 // of the last tick that moved the price
  #details = null;                // the price object of REST
  #first = null;                  // first price seen, for a change when there is no close
  #samples = [];
  #parts = new Map();
  #flash = null;
  #flashed = 0;
  #flashedWay = 0;
  #moved = 0;                     // of the price since the last drawing
  #dirty = true;
  #unknown = false;
  #untraded = false;
  #takenBack = false;             // the last trade, and none is left

  constructor(symbol, remove, open) {
    this.#symbol = symbol;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.dataset.symbol = symbol;
    this.#part(".name").textContent = symbol;
    this.#part(".name").addEventListener("click", () => open(symbol, this.company));
    const button = this.#part(".remove");
    button.setAttribute("aria-label", `Remove ${symbol}`);
    button.addEventListener("click", () => remove(symbol));
  }

  get symbol() {
    return this.#symbol;
  }

  /** The name of its company, or "". */
  get company() {
    return this.#part(".company").textContent;
  }

  /** "AAPL 185.43 ▲" for the window's title, or the symbol alone. */
  get title() {
    if (this.#price === null) return this.#symbol;
    return `${this.#symbol} ${format.price(this.#price)}${["▼", "", "▲"][this.#direction + 1]}`;
  }

  /** The last price; null: there is none. */
  get price() {
    return this.#price;
  }

  /** How it has changed, and which way ("up", "down" or ""). */
  get change() {
    const [then, said] = this.#reference();
    if (then === null || this.#price === null) return { text: "", way: "" };
    const way = ["down", "", "up"][Math.sign(this.#price - then) + 1];
    const figures = [format.difference(this.#price, then), format.percent(this.#price, then)];
    return { text: `${figures.filter(Boolean).join("  ")}  ${said}`, way };
  }

  /** What the table is sorted by; null: unknown. */
  value(column) {
    if (column === "symbol") return this.#symbol;
    if (column === "price") return this.#price;
    if (column === "volume") return this.#details?.volume ?? null;
    if (column === "age") return Number.isNaN(this.#time) ? null : -this.#time;
    const [then] = this.#reference();
    return then > 0 && this.#price !== null ? this.#price / then - 1 : null;
  }

  /** A price from the stream; null: its trade was taken back, and none is left. */
  tick({ price, timestamp }) {
    const time = Date.parse(timestamp);
    if (time === this.#time && price === this.#price) return;
    if (time === this.#time) this.#samples.pop();   // it holds instead of the one before
    if (price !== null && this.#price !== null && price !== this.#price) {
      this.#direction = Math.sign(price - this.#price);
      this.#moved = this.#direction;
    }
    this.#price = price;
    this.#takenBack = price === null;
    this.#untraded = false;
    this.#time = time;
    if (price === null) this.#forget();
    else this.#sample(price);
    this.#unknown = false;
    this.#dirty = true;
  }

  #sample(price) {
    const now = performance.now();
    this.#first ??= { price, time: Date.now() };
    const previous = this.#samples.at(-2);
    if (previous && now - previous[0] < SAMPLE_EVERY) this.#samples.at(-1)[1] = price;
    else this.#samples.push([now, price]);
    if (this.#samples.length > MOST_SAMPLES) this.#thin();
  }

  /** Of samples close to each other, the last one stays. */
  #thin() {
    const kept = [];
    for (const sample of this.#samples) {
      if (kept.length > 1 && sample[0] - kept.at(-2)[0] < THINNED) kept.pop();
      kept.push(sample);
    }
    this.#samples = kept;
  }

  /** Minute bars of before the page watched the symbol; `serverNow` is the server's clock in ms. */
  recall(bars, serverNow) {
    const now = performance.now();
    const first = this.#samples[0]?.[0] ?? now;
    const older = [];
    for (const { start, open, close } of bars) {
      if (close === null) continue;
      const begun = now - (serverNow - Date.parse(start));
      if (!older.length) older.push([begun, open]);
      older.push([begun + MINUTE, close]);
    }
    const live = this.#samples;
    this.#samples = [...older.filter(([time]) => time < first), ...live];
  }

  /** Nothing of what was shown has been. */
  #forget() {
    this.#first = null;
    this.#samples = [];
    this.#direction = this.#moved = 0;
  }

  /** The price object of REST: what the plain stream does not carry. */
  describe(details) {
    this.#details = details;
    this.#unknown = false;
    this.#dirty = true;
  }

  /** Known, but without a trade so far. */
  markUntraded() {
    this.#untraded = this.#price === null;
    this.#unknown = false;
    this.#dirty = true;
  }

  /** The server has no such symbol. */
  markUnknown() {
    this.#unknown = true;
    this.#dirty = true;
  }

  /** Bring the row up to date; cheap when nothing changed. */
  draw() {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#drawPrice();
    this.#drawChange();
    this.#drawState();
    if (this.#details) this.#drawDetails(this.#details);
    if (this.#moved) this.#drawFlash();
  }

  /** The prices that the reader wants to be told of, as text; "" for none. */
  alarm(text) {
    const alarm = this.#part(".alarm");
    alarm.hidden = !text;
    write(alarm.lastElementChild, text);
  }

  /** What the directory says of the symbol. */
  list({ name }) {
    const company = this.#part(".company");
    write(company, name ?? "");
    company.title = name ?? "";
  }

  #part(selector) {
    if (!this.#parts.has(selector)) {
      this.#parts.set(selector, this.element.querySelector(selector));
    }
    return this.#parts.get(selector);
  }

  #drawPrice() {
    write(this.#part(".price .figure"), format.price(this.#price));
    const arrow = this.#part(".direction");
    write(arrow, ["▼", "", "▲"][this.#direction + 1]);
    arrow.className = `direction ${["down", "", "up"][this.#direction + 1]}`;
    this.#drawExtended(this.#details ?? {});
  }

  /** The last trade outside of regular hours. */
  #drawExtended({ extended_price: price, extended_timestamp: time }) {
    const extended = this.#part(".extended");
    extended.hidden = price == null;
    if (extended.hidden) return;
    const at = new Date(time);
    write(extended, `Ext. ${format.price(price)} · ${format.clock(at)}`);
    extended.title = `Outside of regular hours, ${at.toLocaleString()}`;
  }

  #reference() {
    const { previous_close: close, open } = this.#details ?? {};
    if (close != null) return [close, `vs close ${format.price(close)}`];
    if (open != null) return [open, `vs open ${format.price(open)}`];
    if (this.#first && this.#details) {
      return [this.#first.price, `since ${format.clock(this.#first.time)}`];
    }
    return [null, ""];
  }

  #drawChange() {
    const [then, said] = this.#reference();
    const known = then !== null && this.#price !== null;
    write(this.#part(".absolute"), known ? format.difference(this.#price, then) : format.NONE);
    write(this.#part(".relative"), known ? format.percent(this.#price, then) : "");
    write(this.#part(".reference"), known ? said : "");
    const way = known ? Math.sign(this.#price - then) : 0;
    this.#part(".change").className = `number change ${["down", "", "up"][way + 1]}`;
  }

  #drawState() {
    const { status, stale } = this.#details ?? {};
    const text = this.#unknown ? "Unknown"
      : this.#untraded ? "No trade yet"
      : this.#takenBack ? "Taken back"
      : BADGES[status] ?? (stale ? "Stale" : "");
    const badge = this.#part(".badge");
    badge.hidden = !text;
    badge.classList.toggle("mild", this.#untraded);
    write(badge, text);
    this.element.classList.toggle("stale", Boolean(stale) && !this.#unknown);
    this.element.classList.toggle("unknown", this.#unknown);
  }

  #drawDetails({ venue, currency, bid, ask, bid_size, ask_size, volume, trades, low, high }) {
    write(this.#part(".venue"), [venue, currency].filter(Boolean).join(" · "));
    const quoted = bid != null || ask != null;
    write(this.#part(".bid-ask"), quoted ? `${format.price(bid)} × ${format.price(ask)}` : format.NONE);
    write(this.#part(".sizes"), quoted ? `${format.count(bid_size)} × ${format.count(ask_size)}` : "");
    write(this.#part(".shares"), format.volume(volume));
    write(this.#part(".trades"), trades == null ? "" : `${format.count(trades)} trades`);
    this.#drawRange(low, high);
  }

  #drawRange(low, high) {
    const known = low != null && high != null && this.#price !== null;
    this.#part(".range svg").toggleAttribute("hidden", !known);
    if (!known) {
      write(this.#part(".low"), "");
      write(this.#part(".high"), "");
      return;
    }
    const from = Math.min(low, this.#price), to = Math.max(high, this.#price);
    const place = to > from ? (this.#price - from) / (to - from) : 0.5;
    this.#part(".mark").setAttribute("x", (place * 117).toFixed(1));
    write(this.#part(".low"), format.price(from));
    write(this.#part(".high"), format.price(to));
  }

  #drawFlash() {
    const now = performance.now();
    const way = this.#moved;
    const soon = way === this.#flashedWay && now - this.#flashed < FLASH_EVERY;
    this.#moved = 0;
    if (motion.reduced || soon || !this.near) return;
    this.#flashed = now;
    this.#flashedWay = way;
    this.#flash?.cancel();
    const wash = way > 0 ? "--up-wash" : "--down-wash";
    const colour = getComputedStyle(document.documentElement).getPropertyValue(wash).trim();
    this.#flash = this.#part(".last").animate(
      [{ backgroundColor: colour }, { backgroundColor: `${colour}00` }],
      { duration: FLASH, easing: "ease-out" },
    );
  }

  /** The age of the price; `serverNow` is the server's clock in ms. */
  drawAge(serverNow) {
    const time = this.#part("time");
    if (Number.isNaN(this.#time)) return write(time, format.NONE);
    const text = format.age(serverNow - this.#time);
    if (time.textContent === text) return;
    write(time, text);
    time.title = new Date(this.#time).toLocaleString();
    this.#part(".venue").dataset.age = text;
  }

  /** The last hour of prices. */
  drawSparkline() {
    const now = performance.now();
    // one sample older than the window stays: it is the price at the window's left edge
    while (this.#samples.length > 1 && this.#samples[1][0] < now - LONGEST) this.#samples.shift();
    if (!this.#samples.length) {
      this.#part("td.spark").className = "spark";
      this.#part(".line").removeAttribute("d");
      this.#part(".area").removeAttribute("d");
      return;
    }
    const span = Math.min(LONGEST, Math.max(SHORTEST, now - this.#samples[0][0]));
    const { line, start } = format.sparkline(this.#samples, now, span, WIDTH, HEIGHT);
    const way = Math.sign(this.#samples.at(-1)[1] - this.#samples[0][1]);
    this.#part("td.spark").className = `spark ${["down", "", "up"][way + 1]}`;
    this.#part(".line").setAttribute("d", line);
    this.#part(".area").setAttribute("d", `${line}V${HEIGHT}H${start.toFixed(1)}Z`);
  }
}
