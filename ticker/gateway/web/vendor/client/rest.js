// REST: one request, one typed answer.
import { AuthError, NoServerError, RequestError } from "./errors.js";
import { parse } from "./exact.js";
/** Requests to the server at `url`. Every method rejects with NoServerError, AuthError or
 * RequestError. */
export class Rest {
    url;
    #headers;
    constructor(url, token) {
        this.url = url;
        this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    }
    /** Everything known of a symbol, over all venues or of one (its ISO 10383 MIC). */
    price(symbol, venue) {
        return this.#get(`/prices/${encodeURIComponent(symbol)}`, { venue });
    }
    /** Several at once; those without a price are listed by the reason. */
    several(symbols, venue) {
        return this.#get("/prices", { symbols: symbols.join(","), venue });
    }
    /** The best levels of bids and asks, by price, over all venues or of one. */
    book(symbol, levels = 10, venue) {
        return this.#get(`/depth/${encodeURIComponent(symbol)}`, { levels: String(levels), venue });
    }
    /** Bars, oldest first: the first `limit` from `start` on, or the newest without one. */
    async bars(symbol, options = {}) {
        const { interval = "1m", start, end, limit = 120, venue } = options;
        const from = start?.toISOString();
        const to = end?.toISOString();
        const asked = { interval, from, to, limit: String(limit), venue };
        return (await this.#get(`/bars/${encodeURIComponent(symbol)}`, asked)).bars;
    }
    /** Symbols whose ticker or name matches. */
    async symbols(query = "", limit = 20) {
        return (await this.#get("/symbols", { q: query, limit: String(limit) })).symbols;
    }
    /** Feeds, markets and gateways at this moment. */
    status() {
        return this.#get("/status", {});
    }
    async #get(path, asked) {
        const given = Object.entries(asked).filter((pair) => !!pair[1]);
        const query = given.length ? `?${new URLSearchParams(given)}` : "";
        let answer;
        let text;
        try {
            answer = await fetch(this.url + path + query, { headers: this.#headers });
            text = await answer.text();
        }
        catch (error) {
            throw new NoServerError(`${this.url}: ${error instanceof Error ? error.message : error}`);
        }
        if (answer.ok)
            return parse(text);
        const { code, detail } = problem(text);
        if (answer.status === 401)
            throw new AuthError(detail);
        throw new RequestError(answer.status, code, detail);
    }
}
/** A refusal (RFC 9457). */
function problem(text) {
    try {
        const { code, detail } = JSON.parse(text);
        if (typeof code === "string" && typeof detail === "string")
            return { code, detail };
    }
    catch {
        // below
    }
    return { code: "no_problem", detail: "this is no answer of a ticker server" };
}
