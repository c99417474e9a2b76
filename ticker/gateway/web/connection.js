// How the connection is: said in the head and in the foot, and within 3 s when it is gone.

import * as format from "./format.js";
import { motion } from "./motion.js";
import { write } from "./write.js";

const LOOKED_AT = 200;            // ms
const QUIET = 800;              // ms without a price: the server is asked for a sign of life
const PATIENCE = 1_200;           // ms for it
const LOST = new Set(["offline", "silent", "waiting", "connecting"]);

const find = (id) => document.getElementById(id);

export class Connection extends EventTarget {
  #stream;
  #rest;
  #heard = 0;                     // the last sign of life, by performance.now()
  #asking = false;
  #silent = false;
  #refusal = "";                  // why the server does not open a stream to this page
  #opened = false;                // it did once
  #said = "";
  #since = 0;                     // ms, when it was lost
  #feeds = "";                    // what is wrong with them

  constructor(stream, rest) {
    super();
    this.#stream = stream;
    this.#rest = rest;
    stream.addEventListener("price", () => this.#hears());
    stream.addEventListener("state", ({ detail }) => this.#changed(detail));
    addEventListener("offline", () => this.draw());
    addEventListener("online", () => this.#back());
    document.addEventListener("visibilitychange", () => document.hidden || this.#back());
    setInterval(() => {
      if (!document.hidden) this.#listen();
      this.draw();
    }, LOOKED_AT);
  }

  /** What is wrong with feeds; "" for nothing. */
  set feeds(text) {
    this.#feeds = text;
    this.#drawBanner();
  }

  /** Bring the words up to date. */
  draw() {
    const state = this.#state();
    const { body } = document;
    const { state: known } = this.#stream;
    if (body.dataset.connection !== known) body.dataset.connection = known;
    body.toggleAttribute("data-lost", LOST.has(state) && this.#opened);
    write(find("connection-text"), this.#words(state));
    const lost = LOST.has(state) && this.#opened;
    if (lost && !this.#since) this.#since = Date.now();
    if (!lost) this.#since = 0;
    const text = lost
      ? `${this.#short(state)} since ${format.clock(this.#since, true)}: the prices are those of then.` : "";
    for (const place of document.querySelectorAll(".lost")) write(place, text);
    const said = lost ? this.#short(state) : state === "open" ? "Live" : this.#said;
    if (said !== this.#said) find("announcer").textContent = said;
    this.#said = said;
  }

  #state() {
    const { state } = this.#stream;
    if (state !== "refused" && state !== "closed" && !navigator.onLine) return "offline";
    return state === "open" && this.#silent ? "silent" : state;
  }

  #short(state) {
    return { offline: "Offline", silent: "No answer" }[state] ?? "Connection lost";
  }

  #words(state) {
    const seconds = Math.ceil(this.#stream.delay / 1000);
    const asked = !find("token").hidden;
    return {
      open: motion.stopped ? "Paused" : "Live",
      offline: "Offline",
      silent: "No answer",
      connecting: this.#refusal ? "Refused" : this.#opened ? "Connecting…" : "Starting",
      waiting: this.#refusal ? "Refused"
        : seconds > 1 && !motion.stopped ? `Reconnecting in ${seconds} s` : "Reconnecting…",
      refused: "Token needed",
      closed: asked ? "Token needed" : "Closed",
    }[state];
  }

  #changed({ state, failures }) {
    if (state === "open") {
      this.#opened = true;
      this.#refuse("");
      this.#hears();
    } else if (state === "waiting" && failures > 1) {
      this.#explain();            // twice: more than a restart
    }
    this.draw();
  }

  #hears() {
    this.#heard = performance.now();
    this.#silent = false;
  }

  #back() {
    if (this.#stream.state === "waiting" && !document.hidden) this.#stream.connect();
    this.draw();
  }

  /** A quiet market and a dead line look alike: ask. */
  async #listen() {
    if (this.#asking || this.#stream.state !== "open") return;
    if (performance.now() - this.#heard < QUIET) return;
    this.#asking = true;
    const alive = await this.#rest.alive(PATIENCE);
    this.#asking = false;
    if (alive) this.#hears();
    else this.#silent = true;
    this.draw();
  }

  async #explain() {
    const found = await this.#rest.refusal("stream", this.#opened);
    if (this.#stream.state !== "open") this.#refuse(found);
  }

  #refuse(text) {
    this.#refusal = text;
    this.#drawBanner();
    this.draw();
  }

  #drawBanner() {
    const text = this.#refusal || this.#feeds;
    find("banner").hidden = !text;
    write(find("banner"), text);
  }
}
