// What a person may choose for this phone.

import { NAMES, t } from "../i18n/i18n.js";
import { microphoneState } from "../media/microphone.js";
import { pushState, setPush } from "../net/push.js";
import { canUnlock, prepareUnlock } from "../trust/unlock.js";
import { h, refill } from "../ui/dom.js";
import { button, confirm, fingerprint } from "../ui/parts.js";

export class Settings {
  #app;
  #quiet = h("div", {});
  #unlock = h("div", {});
  #push = h("div", {});
  #microphone = h("span", { class: "sub" });
  #about = h("dl", { class: "about" });
  #quietShown = null;

  constructor(app) {
    this.#app = app;
    this.element = h("div", { class: "settings-grid" },
      h("h1", { tabindex: "-1" }, t("settings.title")),
      h("section", { class: "card settings-card" },
        this.#select("language", { "": t("settings.language.auto"), ...NAMES }),
        this.#select("theme", { "": t("settings.theme.auto"), light: t("settings.theme.light"), dark: t("settings.theme.dark") })),
      h("section", { class: "card settings-card" }, this.#quiet, this.#bell(), this.#wall()),
      h("section", { class: "card settings-card" }, this.#unlock, this.#push,
        h("div", { class: "setting" }, h("div", { class: "setting-text" }, h("strong", {}, t("settings.microphone")), this.#microphone))),
      h("section", { class: "card settings-card" }, h("h2", {}, t("settings.about")), this.#about,
        button(t("settings.leave"), () => this.#leave(), { kind: "danger-quiet", key: "leave" })));
    this.#later();
  }

  update() {
    const { me, membership, home, nodeName } = this.#app;
    const quiet = JSON.stringify(me.quiet ?? null);
    if (quiet !== this.#quietShown) {
      this.#quietShown = quiet;
      refill(this.#quiet, ...this.#quietHours(me.quiet));
    }
    const rows = [["name", me.name], ["home", home?.home_name ?? membership.homeName], ["node", nodeName], ["id", me.id]];
    refill(this.#about,
      ...rows.flatMap(([key, value]) => [h("dt", {}, t(`settings.about.${key}`)), h("dd", {}, value)]),
      h("dt", { class: "whole" }, t("settings.about.certificate")), h("dd", { class: "whole" }, fingerprint(membership.fingerprint)));
  }

  /** What only the browser knows, and tells later. */
  async #later() {
    this.#microphone.textContent = t(`settings.microphone.${await microphoneState()}`);
    const able = await canUnlock();
    refill(this.#unlock, this.#toggle({
      id: "unlock", text: able ? "settings.unlock.text" : "settings.unlock.absent", on: Boolean(this.#app.settings.unlock), disabled: !able,
      change: async (on) => this.#app.change({ unlock: on ? await prepareUnlock(this.#app.me.name) : "" }),
    }));
    const state = await pushState();
    const text = { absent: "settings.push.absent", denied: "settings.push.denied" }[state] ?? "settings.push.text";
    refill(this.#push, this.#toggle({
      id: "push", text, on: state === "on", disabled: text !== "settings.push.text",
      change: (on) => setPush(on, (...args) => this.#app.line.ask(...args)),
    }));
  }

  #select(id, options) {
    const select = h("select", { id, "data-key": id, onchange: () => this.#app.change({ [id]: select.value }) },
      Object.entries(options).map(([value, name]) => h("option", { value }, name)));
    select.value = this.#app.settings[id];
    return h("div", { class: "setting" }, h("label", { for: id, class: "setting-text" }, h("strong", {}, t(`settings.${id}`))), select);
  }

  /** `change` may give a promise; where it fails, the switch goes back. */
  #toggle({ id, text, on, change, disabled = false }) {
    const input = h("input", { type: "checkbox", role: "switch", id, checked: on, disabled, "data-key": id, "aria-describedby": `${id}-text` });
    input.addEventListener("change", async () => {
      try {
        await change(input.checked);
      } catch (error) {
        input.checked = !input.checked;
        this.#app.notice(this.#app.explain(error), "bad");
      }
    });
    return h("div", { class: "setting" },
      h("label", { class: "setting-text", for: id }, h("strong", {}, t(`settings.${id}`)), h("span", { class: "sub", id: `${id}-text` }, t(text))), input);
  }

  #quietHours(quiet) {
    const from = h("input", { type: "time", id: "quiet-from", value: quiet?.from ?? "22:00", "data-key": "quiet-from" });
    const to = h("input", { type: "time", id: "quiet-to", value: quiet?.to ?? "07:00", "data-key": "quiet-to" });
    const hours = h("div", { class: "quiet-hours", hidden: !quiet?.from },
      h("label", { for: "quiet-from" }, t("settings.quiet.from")), from, h("label", { for: "quiet-to" }, t("settings.quiet.to")), to);
    const tell = async (on) => {
      const offset = -new Date().getTimezoneOffset();
      await this.#app.line.ask("quiet", { from: on ? from.value : null, to: on ? to.value : null, tz_offset: offset });
      hours.hidden = !on;
      await this.#app.refresh();
    };
    for (const input of [from, to]) input.addEventListener("change", () => { if (from.value && to.value) tell(true).catch(() => {}); });
    return [this.#toggle({ id: "quiet", text: "settings.quiet.text", on: Boolean(quiet?.from), change: tell }), hours];
  }

  #bell() {
    const play = async () => {
      await this.#app.bell.unlock();
      this.#app.bell.chime();
    };
    return h("div", { class: "setting" },
      h("div", { class: "setting-text" }, h("strong", {}, t("settings.bell")), h("span", { class: "sub" }, t("settings.bell.text"))),
      button(t("settings.bell.play"), play, { kind: "small tonal", symbol: "bell", key: "bell" }));
  }

  #wall() {
    return this.#toggle({ id: "wall", text: "settings.wall.text", on: this.#app.settings.wall, change: (wall) => this.#app.change({ wall }) });
  }

  async #leave() {
    const home = this.#app.home?.home_name ?? this.#app.membership.homeName;
    const answer = { title: t("settings.leave.title", { home }), text: t("settings.leave.text"), yes: t("settings.leave") };
    if (await confirm(answer)) await this.#app.forget();
  }
}
