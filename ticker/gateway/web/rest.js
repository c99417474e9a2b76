// Questions to the server by REST, with the token of this tab, and the server's clock.
//
//   const rest = new Rest();
//   rest.token = "…";                                      // or "" for none
//   rest.addEventListener("unauthorised", ({ detail }) => …);  what the server said, to be shown
//   const { prices } = await rest.ask("prices?symbols=AAPL");
//
// The token goes into the header Authorization and nowhere else: never into an address.

const TIMEOUT = 5_000;
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

  #compareClocks(response, here) {
    const offset = Date.parse(response.headers.get("date")) + 500 - here;
    this.#clockOffset = Math.abs(offset) > CLEARLY_WRONG ? offset : 0;
  }

  async #refused(response) {
    const { detail } = await response.json();
    this.dispatchEvent(new CustomEvent("unauthorised", { detail }));
  }
}
