// Adding a phone: who it is, then the code that it scans.

import { t } from "../i18n/i18n.js";
import { fromBase64url } from "../trust/bytes.js";
import { h, icon, refill } from "../ui/dom.js";
import { button, fingerprint, show } from "../ui/parts.js";

const PERMISSIONS = ["view", "talk", "open"];

export class AddPhone {
  #app;
  #dialog = h("dialog", { class: "sheet add", "aria-labelledby": "add-title" });
  #body = h("div", { class: "add-body" });
  #timer = null;
  #name = "";

  constructor(app) {
    this.#app = app;
    this.#dialog.append(
      h("div", { class: "title-row" },
        h("h2", { id: "add-title" }, t("add.title")),
        h("button", { class: "symbol-button", type: "button", "aria-label": t("action.close"), onclick: () => this.#dialog.close() }, icon("close"))),
      this.#body);
  }

  show() {
    this.#form();
    const stop = this.#app.on("joined", ({ name }) => { if (name === this.#name) this.#joined(); });
    show(this.#dialog, () => {
      stop();
      clearInterval(this.#timer);
    });
  }

  #form() {
    const name = h("input", { id: "add-name", type: "text", maxlength: "32", required: true, autocomplete: "off", value: this.#name });
    const may = PERMISSIONS.map((each) => h("input", { type: "checkbox", id: `add-${each}`, checked: true }));
    const until = h("input", { id: "add-until", type: "date", min: new Date().toISOString().slice(0, 10) });
    const fault = h("p", { class: "fault", role: "alert" });
    const submit = async (event) => {
      event.preventDefault();
      this.#name = name.value.trim();
      fault.textContent = this.#name ? "" : t("error.name");
      if (!this.#name) return;
      const permissions = PERMISSIONS.filter((_, index) => may[index].checked);
      const end = until.value ? new Date(`${until.value}T23:59:59`).getTime() / 1000 : null;
      try {
        this.#code(await this.#app.line.ask("phone.add", { name: this.#name, permissions, until: end }));
      } catch (error) {
        fault.textContent = this.#app.explain(error);
      }
    };
    refill(this.#body, h("form", { class: "form", onsubmit: submit, novalidate: true },
      h("label", { for: "add-name" }, t("add.name"), h("span", { class: "sub" }, t("add.name.hint"))), name,
      h("fieldset", {}, h("legend", {}, t("add.may")),
        PERMISSIONS.map((each, index) => h("label", { class: "check", for: `add-${each}` }, may[index], h("span", {}, t(`add.${each}`))))),
      h("label", { for: "add-until" }, t("add.guest"), h("span", { class: "sub" }, t("add.guest.hint"))), until,
      fault,
      h("button", { class: "button primary wide", type: "submit" }, t("add.make"))));
    name.focus();
  }

  #code({ url, svg, expires }) {
    const left = h("p", { class: "add-left" });
    const source = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    refill(this.#body,
      h("p", {}, t("add.scan")),
      h("div", { class: "code" }, h("img", { src: source, alt: t("add.code", { name: this.#name }) })),
      left,
      this.#warning(url));
    this.#count(left, expires * 1000);
  }

  #warning(url) {
    const print = fromBase64url(new URLSearchParams(new URL(url).hash.slice(1)).get("f") ?? "");
    return h("details", { class: "details" },
      h("summary", {}, icon("shield"), h("span", {}, t("add.warning"))),
      h("p", {}, t("add.warning.text")), fingerprint(print));
  }

  #count(left, expires) {
    const tick = () => {
      const seconds = Math.max(0, Math.round((expires - Date.now()) / 1000));
      left.textContent = t("add.left", { time: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` });
      if (seconds === 0) this.#late();
    };
    clearInterval(this.#timer);
    this.#timer = setInterval(tick, 1000);
    tick();
  }

  #late() {
    clearInterval(this.#timer);
    refill(this.#body,
      h("p", { class: "fault", role: "alert" }, t("add.over")),
      button(t("add.again"), () => this.#form(), { kind: "primary" }));
  }

  #joined() {
    clearInterval(this.#timer);
    refill(this.#body,
      h("div", { class: "message small" },
        h("div", { class: "message-symbol good" }, icon("check")),
        h("h2", { tabindex: "-1" }, t("add.joined", { name: this.#name })),
        h("p", {}, t("add.joined.text")),
        button(t("add.done"), () => this.#dialog.close(), { kind: "primary" }),
        button(t("add.another"), () => { this.#name = ""; this.#form(); }, { kind: "quiet" })));
    this.#body.querySelector("h2").focus();
  }
}
