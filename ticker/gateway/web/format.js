// Numbers and times as text, and prices over time as an SVG path. No DOM here.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 2 });
const byDecimals = new Map();

export const NONE = "–";

function withDecimals(count) {
  if (!byDecimals.has(count)) {
    byDecimals.set(count, new Intl.NumberFormat(undefined, {
      minimumFractionDigits: count, maximumFractionDigits: count,
    }));
  }
  return byDecimals.get(count);
}

/** How many decimals a price is shown with: those it has, two at least. */
export function decimals(value) {
  const text = String(value);
  if (text.includes("e-")) return 9;
  const point = text.indexOf(".");
  return point < 0 ? 2 : Math.max(2, Math.min(9, text.length - point - 1));
}

export function price(value) {
  return value == null ? NONE : withDecimals(decimals(value)).format(value);
}

/** A price with so many decimals. */
export function fixed(value, digits) {
  return withDecimals(digits).format(value);
}

export function count(value) {
  return value == null ? NONE : whole.format(value);
}

export function volume(value) {
  return value == null ? NONE : value < 10_000 ? whole.format(value) : compact.format(value);
}

/** A difference of two prices, signed, with no more digits than the prices have. */
export function difference(now, then) {
  const digits = Math.max(decimals(now), decimals(then));
  const text = withDecimals(digits).format(Math.abs(now - then));
  return signed(text, now - then);
}

/** A change in percent; of a price at or below zero there is none. */
export function percent(now, then) {
  if (then <= 0) return "";
  const value = (now / then - 1) * 100;
  return signed(`${withDecimals(2).format(Math.abs(value))} %`, now - then);
}

function signed(text, value) {
  return value > 0 ? `+${text}` : value < 0 ? `−${text}` : text;
}

/** An age in ms: 0.4 s, 12 s, 3 m 07 s, 2 h 05 m, 4 d. */
export function age(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return `${withDecimals(1).format(Math.floor(seconds * 10) / 10)} s`;
  const s = Math.floor(seconds), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (s < 60) return `${s} s`;
  if (m < 60) return `${m} m ${String(s % 60).padStart(2, "0")} s`;
  if (h < 48) return `${h} h ${String(m % 60).padStart(2, "0")} m`;
  return `${Math.floor(h / 24)} d`;
}

/** A short time in seconds: 49 µs, 3.2 ms, 140 ms, 2.5 s. */
export function duration(seconds) {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${withDecimals(seconds < 0.01 ? 1 : 0).format(seconds * 1e3)} ms`;
  return `${withDecimals(1).format(seconds)} s`;
}

const minutes = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const seconds = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** A time of day, in ms or a Date, in the reader's own zone; `exact`: with its seconds. */
export function clock(time, exact = false) {
  return (exact ? seconds : minutes).format(new Date(time));
}

/**
 * `samples` ([ms, price], oldest first) as a step line over the last `span` ms, in a box of
 * width x height. A price holds until the next one, so the line is made of steps.
 */
export function sparkline(samples, now, span, width, height) {
  const prices = samples.map(([, value]) => value);
  const low = Math.min(...prices), high = Math.max(...prices);
  const inset = 2;
  const y = (value) => high === low
    ? height / 2
    : inset + (high - value) / (high - low) * (height - 2 * inset);
  const x = (time) => Math.max(0, width - (now - time) / span * width);
  let path = `M${x(samples[0][0]).toFixed(1)},${y(samples[0][1]).toFixed(1)}`;
  for (const [time, value] of samples.slice(1)) {
    path += `H${x(time).toFixed(1)}V${y(value).toFixed(1)}`;
  }
  return { line: `${path}H${width}`, start: x(samples[0][0]) };
}
