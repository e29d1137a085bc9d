// The doors, and what a person should know at a glance.

import { clock, date, t } from "../i18n/i18n.js";
import { h, icon, refill } from "../ui/dom.js";
import { holdButton } from "../ui/hold.js";
import { banner, button, stateOf } from "../ui/parts.js";

export class Home {
  #app;
  #banners = h("div", { class: "banners" });
  #doors = h("div", { class: "doors" });
  #rooms = h("div", {});
  #drawn = "";

  constructor(app) {
    this.#app = app;
    this.element = h("div", { class: "home-grid" },
      this.#banners,
      h("section", { class: "home-doors", "aria-labelledby": "doors" }, h("h1", { id: "doors", tabindex: "-1" }, t("home.doors")), this.#doors),
      this.#rooms);
  }

  update() {
    refill(this.#banners, ...this.#notes());
    const { home, line, desk } = this.#app;
    if (!home) {
      refill(this.#doors, h("div", { class: "card waiting" }), h("div", { class: "card waiting" }));
      return;
    }
    const busy = Boolean(desk.conversation || desk.talking);
    const drawn = JSON.stringify([home.doors, home.members, line.state, busy, this.#app.me.permissions]);
    if (drawn === this.#drawn) return; // a button that is being held stays the same one
    this.#drawn = drawn;
    const doors = home.doors.map((door) => this.#door(door, busy || line.state !== "attached"));
    refill(this.#doors, ...(doors.length ? doors : [this.#none()]));
    refill(this.#rooms, this.#roomList(home.members.filter(({ role }) => role === "screen"), busy));
  }

  #notes() {
    const { line, home, me, bell, nodeName } = this.#app;
    const notes = [];
    if (line.state === "lost") notes.push(banner(t("line.lost", { node: nodeName }), "offline", "bad"));
    if (home?.missed) notes.push(banner(t("home.missed", { n: home.missed }), "bell", "accent", () => { location.hash = "#/history"; }));
    if (line.state === "attached" && !bell.ready) {
      notes.push(banner(t("home.sound"), "silent", "", async () => { await bell.unlock(); bell.chime(); this.#app.emit("change"); }));
    }
    if (isQuiet(me.quiet)) notes.push(banner(t("home.quiet", { time: me.quiet.to }), "moon"));
    if (me.until) notes.push(banner(t("home.guest", { date: date(me.until * 1000) }), "people"));
    return notes;
  }

  #door(door, busy) {
    const reachable = door.state !== "unreachable";
    const actions = h("div", { class: "row" },
      button(t("door.look"), () => this.#app.desk.look(door), {
        kind: "tonal", symbol: "eye", key: `look ${door.id}`, name: t("door.look.label", { door: door.name }),
        disabled: busy || !reachable || !this.#app.may("view"),
      }),
      door.lock && this.#app.may("open") && holdButton({
        label: t("door.open"), name: t("door.open.label", { door: door.name }), key: `open ${door.id}`,
        act: () => this.#app.open(door),
      }));
    return h("article", { class: "card door", "aria-label": door.name },
      this.#picture(door),
      h("div", { class: "door-title" }, h("h2", {}, door.name), stateOf(door)),
      actions);
  }

  #picture(door) {
    const frame = h("div", { class: "door-picture" }, h("div", { class: "door-empty" }, icon("door"), h("span", {}, t("door.nopicture"))));
    if (door.picture) {
      this.#app.pictures.get(door.picture).then((url) => {
        if (url) frame.replaceChildren(h("img", { src: url, alt: t("door.picture", { door: door.name }) }),
          door.picture_at ? h("span", { class: "door-time" }, clock(door.picture_at * 1000)) : "");
      });
    }
    return frame;
  }

  #none() {
    return h("div", { class: "card none" }, icon("door"), h("h2", {}, t("home.nodoors")), h("p", {}, t("home.nodoors.text")));
  }

  #roomList(rooms, busy) {
    if (!rooms.length) return null;
    const talks = this.#app.may("talk");
    return h("section", { class: "home-rooms", "aria-labelledby": "rooms" },
      h("h2", { id: "rooms", class: "section" }, t("home.rooms")),
      h("ul", { class: "list" }, rooms.map((room) =>
        h("li", { class: "item" },
          h("span", { class: "item-symbol" }, icon("screen")),
          h("div", { class: "item-text" }, h("strong", {}, room.name), stateOf(room)),
          talks && button(t("people.call"), () => this.#app.desk.call(room), {
            kind: "small tonal", symbol: "phone", key: `call ${room.id}`, name: t("people.call.label", { name: room.name }),
            disabled: busy || room.state === "unreachable",
          })))));
  }
}

/** Is it between these hours now? They may go over midnight. */
export function isQuiet(quiet, now = new Date()) {
  if (!quiet?.from || !quiet.to) return false;
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
  const [at, from, to] = [now.getHours() * 60 + now.getMinutes(), minutes(quiet.from), minutes(quiet.to)];
  return from <= to ? at >= from && at < to : at >= from || at < to;
}
