// The layer over everything while somebody rings or talks. It stays the same elements while the call goes on, so that
// the picture never blinks.

import { t } from "../i18n/i18n.js";
import { h, icon, refill } from "../ui/dom.js";
import { holdButton } from "../ui/hold.js";
import { banner, button, round, show } from "../ui/parts.js";
import { Glow } from "./glow.js";

const SECOND = 1000; // ms

export class CallLayer {
  #app;
  #root;
  #page;
  #call = null;
  #parts = null;
  #drawn = "";
  #timer = null;
  #before = null; // who had the focus

  constructor(app, root, page) {
    this.#app = app;
    this.#root = root;
    this.#page = page;
  }

  update() {
    const call = this.#app.desk?.front ?? null;
    if (call !== this.#call) this.#turnTo(call);
    if (!call) return;
    this.#watch(call);
    this.#draw(call);
  }

  #turnTo(call) {
    if (!this.#call) this.#before = document.activeElement;
    this.#parts?.glow.stop();
    clearInterval(this.#timer);
    this.#call = call;
    this.#drawn = "";
    this.#page.inert = Boolean(call);
    document.documentElement.classList.toggle("in-call", Boolean(call));
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    if (!call) {
      this.#parts = null;
      this.#root.replaceChildren();
      if (this.#before?.isConnected) this.#before.focus({ preventScroll: true });
      return;
    }
    this.#build();
    this.#timer = setInterval(() => this.#tick(), SECOND);
  }

  #build() {
    const video = h("video", { autoplay: true, playsinline: true, class: "call-video" });
    const parts = {
      video,
      glow: new Glow(video),
      title: h("h1", { tabindex: "-1", id: "call-title" }),
      line: h("p", { class: "call-line", id: "call-line" }),
      time: h("span", { class: "call-time" }),
      waiting: h("div", { class: "call-waiting" }),
      notes: h("div", { class: "call-notes" }),
      controls: h("div", { class: "call-controls" }),
      top: h("div", { class: "call-top" }),
    };
    video.setAttribute("aria-labelledby", "call-title");
    video.addEventListener("resize", () => {
      if (video.videoWidth) video.style.setProperty("--ratio", String(video.videoWidth / video.videoHeight));
    });
    video.addEventListener("click", () => video.classList.toggle("whole")); // upright, its sides are cut a little
    this.#parts = parts;
    this.#root.replaceChildren(h("div", { class: "call", role: "dialog", "aria-modal": "true", "aria-labelledby": "call-title", "aria-describedby": "call-line" },
      parts.glow.element,
      h("div", { class: "call-head" }, h("div", { class: "call-words" }, parts.title, parts.line), parts.top),
      h("div", { class: "call-picture" }, video, parts.waiting),
      h("div", { class: "call-foot" }, parts.notes, parts.controls)));
    parts.title.focus({ preventScroll: true });
  }

  /** Show the stream, and say when its first picture is there. */
  #watch(call) {
    const { video } = this.#parts;
    const { stream } = call;
    if (!stream || video.srcObject === stream) return;
    video.srcObject = stream;
    const first = () => {
      if (this.#call !== call) return;
      this.#root.firstChild.classList.add("has-picture");
      this.#parts.glow.start();
      if (call.kind === "visit") this.#app.shown(call);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(first);
    else video.addEventListener("loadeddata", first, { once: true });
    this.#play(video);
  }

  async #play(video) {
    try {
      await video.play();
    } catch ({ name }) {
      if (name !== "NotAllowedError" || video.muted) return;
      video.muted = true; // sound needs a touch first; the picture does not
      this.#drawn = "";
      this.update();
      video.play().catch(() => {});
    }
  }

  /** Only what changed: a button that is being held stays the same one. */
  #draw(call) {
    const others = this.#app.desk.visits.filter((visit) => visit !== call);
    const name = this.#nameOf(call);
    const drawn = JSON.stringify([
      name, call.state, call.muted, call.microphone, call.speaking, call.asking, call.refused, call.incoming,
      others.map(({ id }) => id), this.#app.silenced.has(call.id), this.#parts.video.muted, Boolean(call.stream),
    ]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const { title, line, controls, notes, top, waiting } = this.#parts;
    const ringing = call.state === "ringing" && call.kind === "visit";
    this.#root.firstChild.className = `call ${call.kind} ${call.state} ${this.#root.firstChild.classList.contains("has-picture") ? "has-picture" : ""}`;
    title.textContent = name;
    refill(line, h("span", {}, this.#words(call)), call.state === "talking" || call.state === "connected" ? this.#parts.time : null);
    refill(waiting, icon(call.kind === "room" ? "screen" : "door"), call.kind !== "room" && h("span", {}, t("ring.nopicture")));
    refill(top, ringing && this.#silence(call));
    refill(notes, ...this.#notes(call), ...others.map((visit) => this.#other(visit)));
    refill(controls, ...this.#controls(call));
    this.#tick();
  }

  #nameOf(call) {
    return this.#app.nameOf(call.door ?? call.member) || t("ring.visitor");
  }

  #words(call) {
    if (call.kind === "visit") return call.state === "ringing" ? t("ring.visitor") : call.muted ? t("call.muted") : t("call.talking");
    if (call.state === "calling") return t(call.kind === "look" ? "ring.connecting" : "call.calling");
    if (call.state === "ringing") return t(call.kind === "look" ? "ring.connecting" : "call.ringing");
    if (call.state === "alerting") return t("ring.calls", { name: this.#nameOf(call) });
    if (call.muted) return t("call.muted");
    if (call.kind === "look" && !call.speaking) return t("call.looking", { door: this.#nameOf(call) });
    return t("call.talking");
  }

  #notes(call) {
    const { video } = this.#parts;
    const notes = [];
    if (call.microphone) notes.push(banner(t(`call.microphone.${call.microphone}`), "muted", "bad"));
    if (call.refused) notes.push(banner(t("call.refused"), "muted", "bad"));
    if (video.muted) notes.push(banner(t("call.sound"), "sound", "accent", () => { video.muted = false; this.#play(video); this.#drawn = ""; this.update(); }));
    return notes;
  }

  /** Somebody else is at another door. */
  #other(visit) {
    return h("div", { class: "call-other" },
      icon("bell"), h("strong", {}, t("ring.also", { door: this.#app.nameOf(visit.door) })),
      button(t("ring.decline"), () => visit.decline(), { kind: "small quiet", key: `decline ${visit.id}` }),
      button(t("ring.answer"), () => this.#app.desk.answer(visit), { kind: "small primary", key: `answer ${visit.id}`, title: t("call.answers") }));
  }

  #silence(visit) {
    const silenced = this.#app.silenced.has(visit.id);
    return h("button", {
      class: "symbol-button glass", type: "button", onclick: () => this.#app.silence(visit), disabled: silenced, "data-key": "silence",
      "aria-label": t(silenced ? "ring.silenced" : "ring.silence"),
    }, icon(silenced ? "silent" : "bell"));
  }

  #controls(call) {
    const answer = () => round(t("ring.answer"), "phone", () => this.#app.desk.answer(call), { kind: "yes", key: "answer" });
    const decline = () => round(t("ring.decline"), "hangup", () => call.decline(), { kind: "no", key: "decline" });
    if (call.kind === "visit" && call.state === "ringing") {
      return [decline(), this.#open(call), this.#app.may("talk") ? answer() : null];
    }
    if (call.state === "alerting") return [decline(), answer()];
    const end = round(t(call.kind === "look" && !call.speaking ? "call.close" : "call.hangup"), "hangup", () => call.hangup(), { kind: "no", key: "hangup" });
    const talks = call.kind === "visit" || call.kind === "room" || call.speaking;
    return [
      talks && call.state !== "calling" && call.state !== "ringing" ? this.#mute(call) : null,
      call.kind === "look" && !call.speaking && this.#app.may("talk") ? this.#speak(call) : null,
      call.kind === "room" ? null : this.#open(call),
      call.kind === "visit" && this.#app.home?.can?.includes("hand_over") ? this.#handOver(call) : null,
      end,
    ];
  }

  #mute(call) {
    return round(t(call.muted ? "call.unmute" : "call.mute"), call.muted ? "muted" : "microphone", () => call.mute(!call.muted), {
      kind: call.muted ? "on" : "", key: "mute", pressed: call.muted,
    });
  }

  #speak(call) {
    const speak = round(t("call.speak"), "microphone", () => call.speak(), { kind: "yes", key: "speak" });
    speak.disabled = call.asking || call.state !== "connected";
    return speak;
  }

  #open(call) {
    const door = this.#app.door((call.door ?? call.member).id);
    if (!door?.lock || !this.#app.may("open")) return null;
    return holdButton({
      label: t("door.open"), name: t("door.open.label", { door: door.name }), key: "open", round: true, act: () => this.#app.open(door),
    });
  }

  #handOver(call) {
    return round(t("call.handover"), "arrow", () => this.#chooseRoom(call), { key: "handover" });
  }

  #chooseRoom(call) {
    const rooms = this.#app.home.members.filter(({ role, state, id }) =>
      ["screen", "phone"].includes(role) && ["ready", "free"].includes(state) && id !== this.#app.me.id);
    const give = async (room) => {
      dialog.close();
      call.handing = true;
      this.#app.notice(t("call.handing", { name: room.name }));
      try {
        await this.#app.line.ask("hand_over", { call: call.id, to: room.id });
        this.#app.notice(t("call.handed", { name: room.name }), "good");
      } catch (error) {
        call.handing = false;
        this.#app.notice(this.#app.explain(error), "bad");
      }
    };
    const dialog = h("dialog", { class: "sheet", "aria-labelledby": "handover" },
      h("h2", { id: "handover" }, t("call.handover.to")),
      rooms.length ? rooms.map((room) => button(room.name, () => give(room), { kind: "tonal wide", symbol: "screen" })) : h("p", {}, t("call.handover.none")),
      button(t("action.cancel"), () => dialog.close(), { kind: "quiet wide" }));
    show(dialog);
  }

  #tick() {
    const seconds = Math.max(0, Math.floor((Date.now() - this.#call.since) / SECOND));
    this.#parts.time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
