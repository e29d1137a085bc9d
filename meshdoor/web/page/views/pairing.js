// From the code to the first look at the doors.

import { t, tOr } from "../i18n/i18n.js";
import { askForMicrophone } from "../media/microphone.js";
import { PairingError, readFragment } from "../trust/pairing.js";
import { h, icon, refill } from "../ui/dom.js";
import { button, fingerprint, message } from "../ui/parts.js";

const POINTS = [["eye", "pair.point.ring"], ["unlock", "pair.point.talk"], ["shield", "pair.point.private"]];
const MAY_HELP = new Set(["unreachable", "closed"]); // to try again with the same code

export class Pairing {
  #app;
  #shell;
  #invitation = null;
  element = h("div", { class: "pairing" });

  constructor(app, shell) {
    this.#app = app;
    this.#shell = shell;
    try {
      this.#invitation = readFragment(shell.fragment);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#invitation) this.#nobody();
    else if (app.membership && app.line?.state !== "refused") this.#already();
    else this.#welcome();
  }

  update() {}

  #nobody() {
    refill(this.element, message({ symbol: "mobile", title: t("pair.none"), text: t("pair.none.text") },
      h("code", { class: "command" }, "meshdoor phone add Alice"), h("p", {}, t("pair.none.then"))));
  }

  #already() {
    const { homeName } = this.#app.membership;
    const other = this.#invitation.homeName;
    const text = other === homeName ? t("pair.already.same") : t("pair.already.text", { other, home: homeName });
    refill(this.element, message({ symbol: "home", title: t("pair.already", { home: homeName }), text },
      button(t("pair.already.keep", { home: homeName }), () => this.#shell.paired(), { kind: "primary" }),
      button(t("pair.already.join"), () => this.#welcome(), { kind: "quiet" })));
  }

  #welcome() {
    const { homeName } = this.#invitation;
    const join = button(t("pair.join"), () => this.#join(join), { kind: "primary wide" });
    refill(this.element, h("div", { class: "message welcome" },
      h("img", { class: "logo", src: "/icons/icon.svg", alt: "" }),
      h("h1", { tabindex: "-1" }, t("pair.welcome", { home: homeName })),
      h("p", {}, t("pair.welcome.text")),
      h("ul", { class: "points" }, POINTS.map(([symbol, key]) => h("li", {}, icon(symbol), h("span", {}, t(key))))),
      join,
      h("details", { class: "details" },
        h("summary", {}, icon("shield"), h("span", {}, t("pair.certificate"))),
        h("p", {}, t("pair.certificate.text")),
        fingerprint(this.#invitation.fingerprint))));
  }

  async #join(join) {
    join.disabled = true;
    join.querySelector("span").textContent = t("pair.joining");
    await this.#app.bell.unlock();
    try {
      this.#joined(await this.#app.join(this.#invitation));
    } catch (error) {
      if (!(error instanceof PairingError)) throw error;
      this.#failed(error);
    }
  }

  #joined({ name, homeName, permissions }) {
    const rest = h("div", { class: "pair-microphone" });
    const done = button(t("pair.done"), () => this.#shell.paired(), { kind: "primary wide" });
    refill(this.element, h("div", { class: "message" },
      h("div", { class: "message-symbol good" }, icon("check")),
      h("h1", { tabindex: "-1" }, t("pair.joined", { name })),
      h("p", {}, t("pair.joined.text", { home: homeName })),
      rest));
    if (!permissions.includes("talk")) {
      rest.append(done);
      return;
    }
    const allow = async () => {
      const state = await askForMicrophone();
      const granted = state === "granted";
      refill(rest, h("p", { class: `banner ${granted ? "accent" : "bad"}` }, icon(granted ? "microphone" : "muted"),
        h("span", {}, t(granted ? "pair.microphone.granted" : "pair.microphone.denied"))), done);
      done.focus();
    };
    rest.append(h("div", { class: "card ask" }, icon("microphone"),
      h("h2", {}, t("pair.microphone")), h("p", {}, t("pair.microphone.text")),
      button(t("pair.microphone.allow"), allow, { kind: "primary wide" }),
      button(t("action.later"), () => this.#shell.paired(), { kind: "quiet wide" })));
    this.element.querySelector("h1").focus();
  }

  #failed({ code, message: said }) {
    const title = tOr(`pair.error.${code}`, "pair.error.wrong");
    const text = tOr(`pair.error.${code}.text`, "pair.error.wrong.text");
    refill(this.element, message({ symbol: "warning", title, text, kind: "bad" },
      MAY_HELP.has(code) && button(t("action.retry"), () => this.#welcome(), { kind: "primary" }),
      this.#app.membership && button(t("action.back"), () => this.#shell.paired(), { kind: "quiet" })));
    this.element.dataset.code = code ?? said;
    this.element.querySelector("h1").focus();
  }
}
