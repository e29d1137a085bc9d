// What is said again until the other side has confirmed it: a 2xx (RFC 3261 §13.3.1.4), a reliable 1xx (RFC 3262 §3).
// Our own hop is reliable, the ones behind it need not be.

import { T1, T2, TIMEOUT } from "./timers.js";

export class Repeater {
  #clock;
  #timer = null;

  constructor(clock) {
    this.#clock = clock;
  }

  get active() {
    return this.#timer !== null;
  }

  /** Say it again and again, and give up after 64 T1. */
  start(say, giveUp) {
    const wait = (interval, passed) => {
      this.#timer = this.#clock.set(() => {
        if (passed + interval >= TIMEOUT) {
          this.#timer = null;
          giveUp();
        } else {
          say();
          wait(Math.min(2 * interval, T2), passed + interval);
        }
      }, interval);
    };
    wait(T1, 0);
  }

  stop() {
    if (this.#timer !== null) this.#clock.clear(this.#timer);
    this.#timer = null;
  }
}
