// A button that acts when it is held, so that a pocket opens no door. Where nobody can hold (a screen reader, a
// switch), two presses do.

import { t } from "../i18n/i18n.js";
import { h, icon } from "./dom.js";

const HOLD = 900; // ms
const AGAIN = 4000; // ms in which the second press counts

/** `act` gives a promise; the button waits for it. */
export function holdButton({ label, name, key, round = false, act }) {
  const text = h("span", { class: "hold-text" }, label);
  const button = h("button", {
    class: round ? "round hold" : "button hold",
    type: "button",
    "aria-label": name,
    "data-key": key,
  }, round ? h("span", { class: "round-face" }, icon("unlock")) : icon("unlock"), text);
  let timer = null;
  let asked = null;
  let held = false;

  const say = (words) => {
    text.textContent = words;
    button.setAttribute("aria-label", words === label ? name : words);
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    button.classList.remove("holding");
  };
  const run = async () => {
    stop();
    clearTimeout(asked);
    asked = null;
    button.classList.add("acting");
    say(t("door.opening"));
    navigator.vibrate?.(30);
    try {
      await act();
    } finally {
      button.classList.remove("acting");
      say(label);
    }
  };
  const start = () => {
    if (timer !== null || button.classList.contains("acting")) return;
    held = false;
    button.classList.add("holding");
    timer = setTimeout(() => { held = true; run(); }, HOLD);
  };

  button.addEventListener("pointerdown", (event) => { if (event.button === 0) start(); });
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) button.addEventListener(end, stop);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) start();
  });
  button.addEventListener("click", (event) => {
    // A click without a pointer or a key comes from an assistive technology.
    if (held || event.detail !== 0 || button.classList.contains("acting")) return;
    if (asked !== null) {
      run();
      return;
    }
    say(t("door.open.again"));
    asked = setTimeout(() => { asked = null; say(label); }, AGAIN);
  });
  return button;
}
