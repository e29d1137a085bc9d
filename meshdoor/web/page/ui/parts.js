// Small things that several views show.

import { t, tOr } from "../i18n/i18n.js";
import { h, icon } from "./dom.js";

export function button(label, onclick, { kind = "", symbol, key, name, ...rest } = {}) {
  return h("button", {
    class: `button ${kind}`.trim(), type: "button", onclick, "data-key": key, "aria-label": name, ...rest,
  }, symbol && icon(symbol), h("span", {}, label));
}

/** A round button with its word below, as on the screen of a call. */
export function round(label, symbol, onclick, { kind = "", pressed, key } = {}) {
  return h("button", {
    class: `round ${kind}`.trim(), type: "button", onclick, "data-key": key,
    "aria-pressed": pressed === undefined ? null : String(pressed),
  }, h("span", { class: "round-face" }, icon(symbol)), h("span", { class: "round-text" }, label));
}

/** What a member is doing, as a dot and a word. */
export function stateOf(member) {
  const state = (member.state ?? "unreachable").replace(" ", "_");
  const at = member.at && state !== "unreachable" ? ` ${t("state.at", { node: member.at })}` : "";
  return h("span", { class: `state ${state}` }, h("span", { class: "dot" }), tOr(`state.${state}`, "state.unreachable") + at);
}

export function banner(text, symbol, kind = "", action = null) {
  const inner = [icon(symbol), h("span", {}, text)];
  if (action) return h("button", { class: `banner ${kind}`, type: "button", onclick: action, "data-key": text }, inner);
  return h("p", { class: `banner ${kind}` }, inner);
}

/** A page that says one thing. */
export function message({ symbol, title, text, kind = "" }, ...more) {
  return h("div", { class: `message ${kind}` },
    h("div", { class: "message-symbol" }, icon(symbol)),
    h("h1", { tabindex: "-1" }, title),
    text && h("p", {}, text),
    ...more);
}

/** Bytes in hexadecimal as browsers show a fingerprint, in groups that can be compared. */
export function fingerprint(bytes) {
  const groups = Array.from({ length: 8 }, (_, i) =>
    Array.from(bytes.slice(4 * i, 4 * i + 4), (byte) => byte.toString(16).padStart(2, "0")).join(" "));
  return h("code", { class: "fingerprint" }, groups.map((group) => h("span", {}, group)));
}

/** A question before something that cannot be undone: gives a promise of yes or no. */
export function confirm({ title, text, yes }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "sheet", "aria-labelledby": "confirm-title" },
      h("h2", { id: "confirm-title" }, title),
      h("p", {}, text),
      h("div", { class: "row" },
        button(t("action.cancel"), () => dialog.close(), { kind: "quiet" }),
        button(yes, () => dialog.close("yes"), { kind: "danger" })));
    show(dialog, () => resolve(dialog.returnValue === "yes"));
  });
}

/** Show a dialog; it is taken away when it is closed. */
export function show(dialog, closed = () => {}) {
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
}
