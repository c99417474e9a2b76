// Candles and volume of a symbol, from the server's bars, kept up to date by the stream.

import * as format from "../format.js";
import { motion } from "../motion.js";

const CHART = "../lightweight-charts.js";     // by TradingView, with its licence in vendor/
const SPANS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86_400 };
const BARS = 300;
const NEWEST = 3;                 // bars that a late trade or a correction is looked for in
const NO_HISTORY = "This server keeps no history of prices.";
const NOTHING = "No bars of this symbol yet.";
const FAILED = "The bars did not come. They are asked for again.";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** A bar of REST as the chart has it; null where it has no price. */
function candle({ start, open, high, low, close, volume }) {
  if ([open, high, low, close].includes(null)) return null;
  return { time: Date.parse(start) / 1000, open, high, low, close, volume };
}

export class Chart {
  #part;
  #note;
  #rest;
  #symbol = null;
  #interval = "1m";
  #chart = null;
  #candles = null;
  #volumes = null;
  #last = null;                   // the newest candle
  #digits = 2;                    // decimals of its prices
  #waiting = null;                // a price that is not drawn yet

  /** `part`: where it is drawn; `note`: where it says what it has not. */
  constructor(part, note, rest) {
    this.#part = part;
    this.#note = note;
    this.#rest = rest;
    dark.addEventListener("change", () => this.#paint());
  }

  async show(symbol, interval = this.#interval) {
    this.#symbol = symbol;
    this.#interval = interval;
    this.#last = this.#waiting = null;
    await this.#begin();
    const bars = await this.#ask(BARS);
    if (interval !== this.#interval || bars === null) return;
    this.#digits = bars.reduce((most, { close }) => Math.max(most, format.decimals(close)), 2);
    this.#candles.setData(bars);
    this.#volumes.setData(bars.map(({ time, volume }) => ({ time, value: volume })));
    this.#last = bars.at(-1) ?? null;
    this.#chart.timeScale().fitContent();
    this.#say(bars.length ? "" : NOTHING);
    this.#describe(bars);
  }

  /** A price of the stream: the newest candle has it with the next frame. */
  tick(price) {
    if (this.#last && price.price !== null) this.#waiting = price;
  }

  draw() {
    if (!this.#waiting) return;
    const { price, timestamp } = this.#waiting;
    this.#waiting = null;
    const span = SPANS[this.#interval];
    const start = Math.floor(Date.parse(timestamp) / 1000 / span) * span;
    const last = this.#last;
    if (start < last.time || this.#interval === "1d") return;
    this.#put(start === last.time
      ? { ...last, high: Math.max(last.high, price), low: Math.min(last.low, price), close: price }
      : { time: start, open: price, high: price, low: price, close: price, volume: 0 });
  }

  /** The newest bars again: a trade that came late, or was taken back, has changed them. */
  async refresh() {
    if (!this.#last) return this.show(this.#symbol);
    const bars = await this.#ask(NEWEST);
    const end = this.#last?.time;
    if (!motion.stopped) for (const bar of bars ?? []) this.#put(bar, bar.time < end);
  }

  clear() {
    this.#symbol = this.#last = this.#waiting = null;
    this.#candles?.setData([]);
    this.#volumes?.setData([]);
  }

  /** Load the chart, once. */
  async #begin() {
    if (this.#chart) return;
    const { CandlestickSeries, HistogramSeries, createChart } = await import(CHART);
    if (this.#chart) return;
    this.#chart = createChart(this.#part, {
      autoSize: true,
      layout: { attributionLogo: false },       // the dialog names it
      localization: {
        priceFormatter: (price) => format.fixed(price, this.#digits),
        timeFormatter: (time) => this.#moment(time),
      },
      timeScale: { timeVisible: true, tickMarkFormatter: (time) => this.#moment(time) },
    });
    this.#candles = this.#chart.addSeries(CandlestickSeries);
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
    this.#paint();
  }

  /** In the reader's own zone; a day is the venue's. */
  #moment(seconds) {
    const time = new Date(seconds * 1000);
    if (this.#interval !== "1d") return format.clock(time);
    return time.toLocaleDateString(undefined, { timeZone: "UTC", month: "short", day: "numeric" });
  }

  /** The colours of the page. */
  #paint() {
    if (!this.#chart) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const line = { color: colour("line") };
    this.#chart.applyOptions({
      layout: { background: { color: colour("surface") }, textColor: colour("muted") },
      grid: { vertLines: line, horzLines: line },
      rightPriceScale: { borderColor: line.color },
      timeScale: { borderColor: line.color },
    });
    const [up, down] = [colour("up"), colour("down")];
    this.#candles.applyOptions({
      upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false,
    });
    this.#volumes.applyOptions({ color: colour("faint") });
  }

  #put(bar, late = false) {
    const { time, volume } = bar;
    this.#candles.update(bar, late);
    this.#volumes.update({ time, value: volume }, late);
    if (!late) this.#last = bar;
  }

  /** The newest bars, oldest first; null where none can be had. */
  async #ask(limit) {
    const symbol = this.#symbol, interval = this.#interval;
    try {
      const { store } = await this.#rest.ask("status");
      if (store.state === "off") return this.#say(NO_HISTORY);
      const path = `bars/${encodeURIComponent(symbol)}?interval=${interval}&limit=${limit}`;
      const { bars } = await this.#rest.ask(path);
      if (symbol !== this.#symbol || interval !== this.#interval) return null;
      return bars.map(candle).filter((bar) => bar !== null);
    } catch {
      return this.#say(FAILED);
    }
  }

  /** A word in the place of the chart; always null. */
  #say(text) {
    this.#note.textContent = text;
    return null;
  }

  /** The chart for those who do not see it. */
  #describe(bars) {
    const label = bars.length
      ? `${this.#symbol}, ${bars.length} candles of ${this.#interval}, from `
        + `${format.price(bars[0].open)} to ${format.price(bars.at(-1).close)}`
      : `${this.#symbol}, no candles`;
    this.#part.setAttribute("aria-label", label);
  }
}
