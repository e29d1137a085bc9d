// Who belongs to the home, and letting others in.

import { date, t } from "../i18n/i18n.js";
import { h, icon, refill } from "../ui/dom.js";
import { button, confirm, stateOf } from "../ui/parts.js";
import { AddPhone } from "./add.js";

const ROLES = [["screen", "screen"], ["phone", "mobile"], ["door", "door"], ["lock", "unlock"]];

export class People {
  #app;
  #lists = h("div", { class: "people-lists" });
  #top = h("div", { class: "title-row" });
  #until = new Map(); // of guests, as the node lists them

  constructor(app) {
    this.#app = app;
    this.element = h("div", {}, this.#top, this.#lists);
    refill(this.#top,
      h("h1", { tabindex: "-1" }, t("people.title")),
      app.may("admit") && button(t("people.add"), () => new AddPhone(app).show(), { kind: "primary", symbol: "plus", key: "add" }));
    this.#guests();
  }

  update() {
    const { home } = this.#app;
    if (!home) return;
    refill(this.#lists, ...ROLES.map(([role, symbol]) => this.#section(role, symbol, home.members.filter((each) => each.role === role))));
  }

  async #guests() {
    if (!this.#app.may("admit")) return;
    const phones = await this.#app.line.ask("phones").catch(() => []);
    for (const { id, until } of Array.isArray(phones) ? phones : phones.phones ?? []) this.#until.set(id, until);
    this.update();
  }

  #section(role, symbol, members) {
    if (!members.length) return null;
    return h("section", {},
      h("h2", { class: "section" }, t(`role.${role}`)),
      h("ul", { class: "list" }, members.map((member) => this.#row(member, symbol))));
  }

  #row(member, symbol) {
    const { me, desk } = this.#app;
    const isMe = member.id === me.id;
    const until = isMe ? me.until : this.#until.get(member.id) ?? member.until;
    const canCall = !isMe && ["screen", "phone"].includes(member.role) && this.#app.may("talk");
    const canRemove = !isMe && member.role === "phone" && this.#app.may("admit");
    const busy = Boolean(desk.conversation || desk.talking) || ["unreachable", "away", "quiet"].includes(member.state);
    return h("li", { class: "item" },
      h("span", { class: "item-symbol" }, icon(symbol)),
      h("div", { class: "item-text" },
        h("strong", {}, member.name, isMe && h("span", { class: "tag" }, t("people.me"))),
        stateOf(isMe && this.#app.line.state === "attached" ? { ...member, state: "ready" } : member),
        until && h("span", { class: "sub" }, t("people.guest", { date: date(until * 1000) }))),
      canRemove && h("button", {
        class: "symbol-button", type: "button", onclick: () => this.#remove(member), "data-key": `remove ${member.id}`,
        "aria-label": t("people.remove.label", { name: member.name }),
      }, icon("close")),
      canCall && h("button", {
        class: "symbol-button accent", type: "button", onclick: () => desk.call(member), "data-key": `call ${member.id}`,
        "aria-label": t("people.call.label", { name: member.name }), disabled: busy,
      }, icon("phone")));
  }

  async #remove(member) {
    const { name } = member;
    if (!(await confirm({ title: t("people.remove.title", { name }), text: t("people.remove.text"), yes: t("people.remove") }))) return;
    try {
      await this.#app.line.ask("revoke", { id: member.id });
      this.#app.notice(t("people.removed", { name }), "good");
    } catch (error) {
      this.#app.notice(this.#app.explain(error), "bad");
    }
    await this.#app.refresh();
  }
}
