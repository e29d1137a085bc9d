// The frame: which view is shown, the menu, the layer of a call, notices, the clock of a wall.

import { t } from "../i18n/i18n.js";
import { h, icon, refill } from "../ui/dom.js";
import { button, message } from "../ui/parts.js";
import { CallLayer } from "./call.js";
import { History } from "./history.js";
import { Home } from "./home.js";
import { Pairing } from "./pairing.js";
import { People } from "./people.js";
import { Settings } from "./settings.js";
import { Wall } from "./wall.js";

const VIEWS = { home: Home, history: History, people: People, settings: Settings };
const NOTICE = 6000; // ms
const GONE = { revoked: "close", expired: "moon", unknown: "mobile", wrong: "shield" };

export class Shell {
  #app;
  #page = document.getElementById("page");
  #notices = document.getElementById("notices");
  #main = null;
  #nav = null;
  #head = null;
  #view = null;
  #frame = "";
  #pending = false;

  constructor(app) {
    this.#app = app;
    this.fragment = takeInvitation();
    this.call = new CallLayer(app, document.getElementById("call"), this.#page);
    this.wall = new Wall(app, document.getElementById("wall"));
    addEventListener("hashchange", () => {
      this.fragment = takeInvitation() || this.fragment;
      this.#route(true);
    });
    app.on("change", () => this.#later());
    app.on("settings", () => this.#dress());
    app.on("notice", ({ text, kind }) => this.#notice(text, kind));
  }

  show() {
    this.#dress();
    this.#route(false);
  }

  /** The invitation is dealt with. */
  paired() {
    this.fragment = "";
    this.#route(true);
  }

  #dress() {
    const { theme } = this.#app.settings;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    this.#frame = "";
  }

  /** Once for however many changes came together. */
  #later() {
    if (this.#pending) return;
    this.#pending = true;
    queueMicrotask(() => {
      this.#pending = false;
      this.#route(false);
      this.call.update();
      this.wall.update();
    });
  }

  #frameNow() {
    const { line } = this.#app;
    if (!this.#app.membership || this.fragment) return `pairing ${this.fragment}`;
    return line.state === "refused" || line.state === "moved" ? line.state : "home";
  }

  #route(moved) {
    const frame = this.#frameNow();
    const name = location.hash.slice(2) in VIEWS ? location.hash.slice(2) : "home";
    const wanted = frame === "home" ? `home ${name}` : frame;
    if (wanted !== this.#frame) {
      this.#frame = wanted;
      this.#build(frame, name);
      if (moved) this.#page.querySelector("h1")?.focus({ preventScroll: true });
      if (moved) scrollTo(0, 0);
    }
    this.#view?.update();
    if (frame === "home") this.#header();
  }

  #build(frame, name) {
    this.#view?.leave?.();
    this.#view = null;
    if (frame === "home") {
      this.#view = new VIEWS[name](this.#app);
      this.#head = h("header", { class: "head" });
      this.#main = h("main", { class: `main ${name}`, id: "main" }, this.#view.element);
      this.#nav = h("nav", { class: "menu", "aria-label": t("nav.label") });
      refill(this.#page, h("div", { class: "frame" }, this.#head, this.#main, this.#nav));
    } else if (frame.startsWith("pairing")) {
      this.#view = new Pairing(this.#app, this);
      this.#page.replaceChildren(h("main", { class: "alone" }, this.#view.element));
    } else {
      this.#page.replaceChildren(h("main", { class: "alone" }, frame === "moved" ? this.#moved() : this.#refused()));
    }
  }

  #header() {
    const { line, home, membership, nodeName } = this.#app;
    const state = line.state === "attached" ? "ready" : "unreachable";
    const word = { attached: "line.attached", lost: "line.offline" }[line.state] ?? "line.connecting";
    refill(this.#head,
      h("div", { class: "head-name" }, home?.home_name ?? membership.homeName),
      h("div", { class: `state ${state}`, role: "status" }, h("span", { class: "dot" }), t(word, { node: nodeName }),
        line.state === "attached" && nodeName && h("span", { class: "head-node" }, nodeName)));
    const current = this.#frame.split(" ")[1];
    refill(this.#nav, ...Object.keys(VIEWS).map((name) => this.#link(name, current)));
  }

  #link(name, current) {
    const missed = name === "history" ? this.#app.home?.missed ?? 0 : 0;
    return h("a", { href: `#/${name}`, class: "menu-link", "aria-current": name === current ? "page" : null, "data-key": name },
      h("span", { class: "menu-symbol" }, icon(name),
        missed > 0 && h("span", { class: "badge" }, String(missed), h("span", { class: "hidden" }, ` ${t("nav.missed", { n: missed })}`))),
      h("span", {}, t(`nav.${name}`)));
  }

  #moved() {
    return message({ symbol: "mobile", title: t("line.moved.title"), text: t("line.moved.text") },
      button(t("line.moved.here"), () => this.#app.line.again(), { kind: "primary" }));
  }

  #refused() {
    const code = this.#app.line.refusal.code in GONE ? this.#app.line.refusal.code : "wrong";
    return message({ symbol: GONE[code], title: t(`refused.${code}.title`), text: t(`refused.${code}.text`) },
      button(t("action.retry"), () => this.#app.line.again(), { kind: "primary" }),
      button(t("refused.forget"), () => this.#app.forget(), { kind: "quiet" }));
  }

  #notice(text, kind) {
    const notice = h("div", { class: `notice ${kind}` },
      icon({ good: "check", bad: "warning" }[kind] ?? "bell"), h("span", {}, text));
    this.#notices.append(notice);
    while (this.#notices.children.length > 3) this.#notices.firstChild.remove();
    setTimeout(() => notice.remove(), NOTICE);
  }
}

/** The invitation in the address, if one is there. It is taken out, so that the token stays in no history. */
function takeInvitation() {
  const { hash } = location;
  if (!hash.startsWith("#pair=")) return "";
  history.replaceState(null, "", location.pathname);
  return hash;
}
