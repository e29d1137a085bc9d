// Who was there. What a person has seen here is seen on every device of the home.

import { clock, day, t, tOr } from "../i18n/i18n.js";
import { h, icon, refill } from "../ui/dom.js";
import { button, show } from "../ui/parts.js";

const PAGE = 30;
const SEEN = 1500; // ms on the screen until it counts as seen

export class History {
  #app;
  #list = h("div", { class: "history-list" });
  #more = h("div", { class: "row center" });
  #visits = [];
  #all = false;
  #timer = null;
  #stops;

  constructor(app) {
    this.#app = app;
    this.element = h("div", {}, h("h1", { tabindex: "-1" }, t("history.title")), this.#list, this.#more);
    this.#stops = [app.on("missed", () => this.#load()), app.on("home", () => this.#load())];
    this.#waiting();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    for (const stop of this.#stops) stop();
  }

  update() {
    if (!this.#visits.length && !this.#all && this.#app.line.state === "attached") this.#load();
  }

  #waiting() {
    refill(this.#list, ...Array.from({ length: 3 }, () => h("div", { class: "item waiting" })));
  }

  /** The newest; those that were fetched before stay below. */
  async #load(before) {
    const args = before ? { before, limit: PAGE } : { limit: PAGE };
    let visits;
    try {
      ({ visits } = await this.#app.line.ask("history", args));
    } catch {
      return; // the banner says that the line is lost; it is tried again
    }
    if (visits.length < PAGE) this.#all = true;
    const fresh = new Map(visits.map((visit) => [visit.id, visit]));
    const kept = this.#visits.filter(({ id }) => !fresh.has(id));
    this.#visits = [...kept, ...visits].sort((a, b) => b.at - a.at);
    this.#draw();
    this.#see();
  }

  #draw() {
    if (!this.#visits.length) {
      refill(this.#list, h("div", { class: "card none" }, icon("history"), h("h2", {}, t("history.empty")), h("p", {}, t("history.empty.text"))));
      return;
    }
    refill(this.#list, ...[...byDay(this.#visits)].map(([name, visits]) =>
      h("section", {}, h("h2", { class: "section" }, name), h("ul", { class: "list" }, visits.map((visit) => this.#row(visit))))));
    refill(this.#more, this.#all ? null : button(t("history.more"), () => this.#load(this.#visits.at(-1).id), { kind: "quiet", key: "more" }));
  }

  #row(visit) {
    const missed = ["missed", "cancelled", "interrupted"].includes(visit.result);
    const talked = visit.by ? [visit.by, ...(visit.then ?? [])].join(" → ") : "";
    const by = talked ? t("history.answered", { name: talked }) : t("history.answered.nobody");
    const result = visit.result === "answered" ? by : tOr(`history.${visit.result}`, "history.missed");
    const opened = visit.opened ? ` · ${t("history.opened", { name: visit.opened })}` : "";
    return h("li", { class: `item visit ${missed ? "missed" : ""}` },
      this.#thumb(visit),
      h("div", { class: "item-text" },
        h("strong", {}, visit.door),
        h("span", { class: "sub" }, `${result}${opened}`)),
      h("div", { class: "visit-when" }, h("time", { datetime: new Date(visit.at * 1000).toISOString() }, clock(visit.at * 1000)),
        missed && !visit.seen && h("span", { class: "new" }, t("history.new"))));
  }

  #thumb(visit) {
    if (!visit.picture) return h("span", { class: "thumb empty" }, icon("door"));
    const alt = t("history.picture", { door: visit.door, time: clock(visit.at * 1000) });
    const thumb = h("button", { class: "thumb", type: "button", "aria-label": alt, "data-key": `thumb ${visit.id}` }, icon("door"));
    this.#app.pictures.get(visit.id).then((url) => {
      if (!url) return;
      thumb.replaceChildren(h("img", { src: url, alt: "" }));
      thumb.addEventListener("click", () => this.#enlarge(url, alt));
    });
    return thumb;
  }

  #enlarge(url, alt) {
    const dialog = h("dialog", { class: "sheet picture", "aria-label": alt },
      h("img", { src: url, alt }), h("p", {}, alt),
      button(t("action.close"), () => dialog.close(), { kind: "quiet" }));
    show(dialog);
  }

  #see() {
    clearTimeout(this.#timer);
    const ids = this.#visits.filter(({ seen, result }) => !seen && result !== "ringing").map(({ id }) => id);
    if (!ids.length) return;
    this.#timer = setTimeout(async () => {
      if (document.hidden) return;
      await this.#app.line.ask("seen", { ids }).catch(() => {});
      await this.#app.refresh();
    }, SEEN);
  }
}

function byDay(visits) {
  const days = new Map();
  for (const visit of visits) {
    const name = day(visit.at * 1000);
    days.set(name, [...(days.get(name) ?? []), visit]);
  }
  return days;
}
