// Questions to the server by REST, with the token of this tab, and the server's clock.
//
//   const rest = new Rest();
//   rest.token = "…";                                      // or "" for none
//   rest.addEventListener("unauthorised", ({ detail }) => …);  what the server said, to be shown
//   const { prices } = await rest.ask("prices?symbols=AAPL");
//
// The token goes into the header Authorization and nowhere else: never into an address.

const TIMEOUT = 5_000;
const REFUSALS = new Set(["forbidden_origin", "unknown_host", "too_many_connections"]);
const NO_HANDSHAKE = new Set(["upgrade_required", "method_not_allowed"]);  // this page is welcome
const UPGRADE_KEPT = "The server answers, but its stream does not open. A proxy in front of it may "
  + "keep the Upgrade header to itself: docs/security.md has what to set.";
const CLEARLY_WRONG = 1_500;      // ms: Date has whole seconds

export class Rest extends EventTarget {
  token = "";
  #clockOffset = 0;

  /** Now, in ms, by the clock of the server. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  /** The answer to GET `path`; throws when there is none, or when it is a refusal. */
  async ask(path) {
    const token = this.token;
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const sent = Date.now();
    const response = await fetch(path, { headers, signal: AbortSignal.timeout(TIMEOUT) });
    this.#compareClocks(response, (sent + Date.now()) / 2);
    if (response.ok) return response.json();
    if (response.status === 401 && token === this.token) await this.#refused(response);
    throw new Error(`${path}: ${response.status}`);
  }

  /** Whether the server answers within `patience` ms. */
  async alive(patience) {
    try {
      await fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(patience) });
      return true;
    } catch {
      return false;
    }
  }

  /** Why the stream at `path` does not open, in the server's own words; "" when it is no refusal
   *  of this page. A browser hides the answer to a handshake, and says the page's origin with a
   *  POST, so the server judges this request as it did the handshake. `opened`: it did once. */
  async refusal(path, opened) {
    try {
      const request = { method: "POST", signal: AbortSignal.timeout(TIMEOUT) };
      const { code, detail } = await (await fetch(path, request)).json();
      if (NO_HANDSHAKE.has(code) && !opened) return UPGRADE_KEPT;
      return REFUSALS.has(code) ? detail : "";
    } catch {
      return "";
    }
  }

  #compareClocks(response, here) {
    const offset = Date.parse(response.headers.get("date")) + 500 - here;
    this.#clockOffset = Math.abs(offset) > CLEARLY_WRONG ? offset : 0;
  }

  async #refused(response) {
    const { detail } = await response.json();
    this.dispatchEvent(new CustomEvent("unauthorised", { detail }));
  }
}
