// Movement: how the reader stops all of it (WCAG 2.2.2), and who wants little of it anyhow.
//
// While it is stopped, prices still come and alerts are still told; nothing is drawn but what
// the reader asks for, and the state of the connection.

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const CALM = 1_000;               // ms between drawings for those who want little movement

class Motion extends EventTarget {
  #stopped = false;
  #drawn = 0;

  get stopped() {
    return this.#stopped;
  }

  get reduced() {
    return reduced.matches;
  }

  /** Whether a frame is to be drawn now. */
  due() {
    if (this.#stopped) return false;
    const now = performance.now();
    if (reduced.matches && now - this.#drawn < CALM) return false;
    this.#drawn = now;
    return true;
  }

  toggle() {
    this.#stopped = !this.#stopped;
    document.body.toggleAttribute("data-paused", this.#stopped);
    if (this.#stopped) for (const each of document.getAnimations()) each.cancel();
    this.dispatchEvent(new Event("change"));
  }
}

export const motion = new Motion();
