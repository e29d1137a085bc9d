// A tablet on the wall: the screen stays on, and a dim clock is shown while nothing happens.

import { clock, current, t } from "../i18n/i18n.js";
import { h } from "../ui/dom.js";

const IDLE = 60_000; // ms
const TICK = 10_000; // ms

export class Wall {
  #app;
  #root;
  #lock = null;
  #timer = null;
  #ticking = null;

  constructor(app, root) {
    this.#app = app;
    this.#root = root;
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => this.#touched());
    document.addEventListener("visibilitychange", () => this.update());
  }

  update() {
    const on = this.#app.settings.wall && this.#app.membership !== null;
    if (on && !document.hidden) this.#keepOn();
    if (!on) this.#letGo();
    if (!on || this.#app.desk?.front) this.#wake();
    else if (this.#timer === null) this.#timer = setTimeout(() => this.#sleep(), IDLE);
  }

  async #keepOn() {
    if (this.#lock || !navigator.wakeLock) return;
    this.#lock = "asked";
    try {
      this.#lock = await navigator.wakeLock.request("screen");
      this.#lock.addEventListener("release", () => { this.#lock = null; });
    } catch {
      this.#lock = null; // the battery is low, or the browser does not want to
    }
  }

  #letGo() {
    this.#lock?.release?.();
    this.#lock = null;
  }

  #touched() {
    this.#wake();
    this.update();
  }

  #wake() {
    clearTimeout(this.#timer);
    clearInterval(this.#ticking);
    this.#timer = this.#ticking = null;
    this.#root.replaceChildren();
  }

  #sleep() {
    const time = h("div", { class: "wall-time" });
    const date = h("div", { class: "wall-date" });
    const trouble = h("div", { class: "wall-trouble" });
    const face = h("div", { class: "wall-face" }, time, date, trouble);
    const tick = () => {
      time.textContent = clock(Date.now());
      date.textContent = new Intl.DateTimeFormat(current(), { weekday: "long", day: "numeric", month: "long" }).format(Date.now());
      const { line, nodeName } = this.#app;
      trouble.textContent = line.state === "attached" ? "" : t("line.lost", { node: nodeName });
      // It wanders, so that it does not burn in.
      face.style.setProperty("--x", `${Math.round(Math.random() * 40 - 20)}px`);
      face.style.setProperty("--y", `${Math.round(Math.random() * 60 - 30)}px`);
    };
    tick();
    this.#ticking = setInterval(tick, TICK);
    this.#root.replaceChildren(h("div", { class: "wall", role: "img", "aria-label": t("wall.wake") }, face));
  }
}
