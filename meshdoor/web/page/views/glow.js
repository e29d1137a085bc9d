// Behind the picture: its own colours, blurred. A few pixels, a few times a second.

import { h } from "../ui/dom.js";

const EVERY = 400; // ms

export class Glow {
  #video;
  #timer = null;
  element = h("canvas", { class: "call-glow", width: "24", height: "18", "aria-hidden": "true" });

  constructor(video) {
    this.#video = video;
  }

  start() {
    if (this.#timer !== null) return;
    const context = this.element.getContext("2d", { alpha: false });
    const paint = () => {
      if (this.#video.readyState >= 2) context.drawImage(this.#video, 0, 0, 24, 18);
    };
    paint();
    this.element.classList.add("lit");
    this.#timer = setInterval(paint, EVERY);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
