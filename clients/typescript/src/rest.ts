// REST: one request, one typed answer.

import { AuthError, NoServerError, RequestError } from "./errors.js";
import { parse } from "./exact.js";
import type { Bar, Bars, Book, ListedSymbol, PriceObject, Prices, Symbols } from "./messages.js";

export interface BarsOptions {
  /** "1m", "5m", "15m", "30m", "1h" or "1d"; without it "1m". */
  interval?: string;
  /** Bars start in start <= time < end. */
  start?: Date;
  end?: Date;
  limit?: number;
  /** An ISO 10383 MIC; without it all venues. */
  venue?: string;
}

/** Requests to the server at `url`. Every method rejects with NoServerError, AuthError or
 * RequestError. */
export class Rest {
  readonly url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, token: string | undefined) {
    this.url = url;
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /** Everything known of a symbol, over all venues or of one (its ISO 10383 MIC). */
  price(symbol: string, venue?: string): Promise<PriceObject> {
    return this.#get(`/prices/${encodeURIComponent(symbol)}`, { venue });
  }

  /** Several at once; those without a price are listed by the reason. */
  several(symbols: readonly string[], venue?: string): Promise<Prices> {
    return this.#get("/prices", { symbols: symbols.join(","), venue });
  }

  /** The best levels of bids and asks, by price, over all venues or of one. */
  book(symbol: string, levels = 10, venue?: string): Promise<Book> {
    return this.#get(`/depth/${encodeURIComponent(symbol)}`, { levels: String(levels), venue });
  }

  /** Bars, oldest first: the first `limit` from `start` on, or the newest without one. */
  async bars(symbol: string, options: BarsOptions = {}): Promise<Bar[]> {
    const { interval = "1m", start, end, limit = 120, venue } = options;
    const from = start?.toISOString();
    const to = end?.toISOString();
    const asked = { interval, from, to, limit: String(limit), venue };
    return (await this.#get<Bars>(`/bars/${encodeURIComponent(symbol)}`, asked)).bars;
  }

  /** Symbols whose ticker or name matches. */
  async symbols(query = "", limit = 20): Promise<ListedSymbol[]> {
    return (await this.#get<Symbols>("/symbols", { q: query, limit: String(limit) })).symbols;
  }

  /** Feeds, markets and gateways at this moment. */
  status(): Promise<Record<string, unknown>> {
    return this.#get("/status", {});
  }

  async #get<T>(path: string, asked: Record<string, string | undefined>): Promise<T> {
    const given = Object.entries(asked).filter((pair): pair is [string, string] => !!pair[1]);
    const query = given.length ? `?${new URLSearchParams(given)}` : "";
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(this.url + path + query, { headers: this.#headers });
      text = await answer.text();
    } catch (error) {
      throw new NoServerError(`${this.url}: ${error instanceof Error ? error.message : error}`);
    }
    if (answer.ok) return parse(text) as T;
    const { code, detail } = problem(text);
    if (answer.status === 401) throw new AuthError(detail);
    throw new RequestError(answer.status, code, detail);
  }
}

/** A refusal (RFC 9457). */
function problem(text: string): { code: string; detail: string } {
  try {
    const { code, detail } = JSON.parse(text);
    if (typeof code === "string" && typeof detail === "string") return { code, detail };
  } catch {
    // below
  }
  return { code: "no_problem", detail: "this is no answer of a ticker server" };
}
