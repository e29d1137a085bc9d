// What this phone knows and does; the views show it. Events: "change", "notice" {text, kind}.

import { Desk } from "./calls/desk.js";
import * as i18n from "./i18n/i18n.js";
import { Bell } from "./media/bell.js";
import { capture } from "./media/microphone.js";
import { Peer } from "./media/peer.js";
import { Line } from "./net/line.js";
import { Pictures } from "./net/pictures.js";
import * as settings from "./settings.js";
import { Emitter } from "./sip/emitter.js";
import { GrantError, openLock } from "./trust/grants.js";
import { Key, makeKey } from "./trust/keys.js";
import { PairingError, pair } from "./trust/pairing.js";
import { unlock } from "./trust/unlock.js";
import * as vault from "./trust/vault.js";

const { t, tOr } = i18n;
const ASK_WHO = [50, 400, 1000, 2000]; // ms after which it is asked who answered, if nobody has told

export class App extends Emitter {
  constructor() {
    super();
    this.settings = settings.load();
    this.membership = null;
    this.line = null;
    this.desk = null;
    this.pictures = null;
    this.home = null; // as the node says it
    this.bell = new Bell();
    this.silenced = new Set();
    this.answered = { press: "", by: "" }; // last
    this.speakLanguage();
  }

  speakLanguage() {
    const wanted = this.settings.language ? [this.settings.language] : navigator.languages ?? ["en"];
    document.documentElement.lang = i18n.choose(wanted);
  }

  change(patch) {
    Object.assign(this.settings, patch);
    settings.save(this.settings);
    this.speakLanguage();
    this.emit("settings");
    this.emit("change");
  }

  notice(text, kind = "") {
    this.emit("notice", { text, kind });
  }

  // Belonging to a home

  /** Look whether this phone belongs to one. */
  async load() {
    const kept = await vault.load();
    if (kept) this.#belong(kept);
    return Boolean(kept);
  }

  /** Become a member of the home that made this invitation. Throws PairingError. */
  async join(invitation) {
    const key = await makeKey();
    const reply = await pair(invitation, key.publicKey);
    const kept = {
      privateKey: key.privateKey, publicKey: key.publicKey, fingerprint: invitation.fingerprint,
      home: reply.home, homeName: reply.home_name, id: reply.id, name: reply.name, node: reply.node,
      permissions: reply.permissions, until: reply.until,
    };
    try {
      await vault.save(kept);
    } catch {
      throw new PairingError("storage");
    }
    this.leaveLine();
    this.#belong(kept);
    navigator.storage?.persist?.().catch(() => {});
    return kept;
  }

  async forget() {
    this.leaveLine();
    this.membership = this.home = null;
    this.emit("change");
    await vault.forget();
  }

  leaveLine() {
    this.line?.stop();
    this.line = this.desk = null;
    this.bell.stop();
  }

  #belong(kept) {
    const key = new Key(kept.privateKey, kept.publicKey);
    this.membership = { ...kept, key };
    this.line = new Line(this.membership);
    this.pictures = new Pictures((id) => this.line.ask("picture", { id }));
    this.desk = new Desk({
      line: this.line, id: kept.id, capture, makePeer: () => new Peer(this.line.me?.ice_servers ?? []),
    });
    this.line.on("state", (state) => this.#lineChanged(state));
    this.line.on("event", (event) => this.#told(event));
    this.desk.on("change", () => this.#ring());
    this.desk.on("over", (detail) => this.#over(detail));
    this.line.start();
  }

  // The home

  get me() {
    return { ...this.membership, ...this.line?.me, ...this.home?.me };
  }

  may(permission) {
    return (this.me.permissions ?? []).includes(permission);
  }

  get nodeName() {
    return this.home?.node ?? this.membership?.node ?? "";
  }

  door(id) {
    return this.home?.doors.find((door) => door.id === id) ?? null;
  }

  nameOf(member) {
    const known = this.door(member.id) ?? this.home?.members.find(({ id }) => id === member.id);
    return known?.name ?? member.name;
  }

  async refresh() {
    try {
      this.#know(await this.line.ask("home"));
    } catch {
      return; // it is asked again when the line is back
    }
  }

  #know(home) {
    this.home = { ...this.home, ...home };
    this.emit("change");
  }

  #lineChanged(state) {
    if (state === "attached") this.refresh();
    this.emit("change");
  }

  #told({ event, ...said }) {
    if (event === "home" && said.doors) this.#know(said);
    else this.refresh();
    if (event === "answered") this.answered = said;
    if (event === "joined") this.notice(t("people.joined", { name: said.name }), "good");
    this.emit(event, said);
  }

  // Ringing

  #ring() {
    const loud = this.desk.visits.some((visit) => visit.state === "ringing" && !this.silenced.has(visit.id));
    if ((loud && !this.desk.talking) || this.desk.conversation?.state === "alerting") this.bell.start();
    else this.bell.stop();
    this.emit("change");
  }

  silence(visit) {
    this.silenced.add(visit.id);
    this.#ring();
  }

  /** The first picture of a visitor is on the screen: the door keeps a proof of ring. */
  shown(visit) {
    if (visit.shown) return;
    visit.shown = true;
    this.line.ask("shown", { call: visit.id, press: visit.press }).catch(() => {});
  }

  #over({ call, why, status, elsewhere }) {
    const name = this.nameOf(call.door ?? call.member) || t("ring.visitor");
    this.silenced.delete(call.id);
    if (elsewhere && call.handing) return; // who handed over is told what became of it
    if (elsewhere) this.#answeredElsewhere(call);
    else if (call.kind === "visit" && why === "cancelled") this.notice(t("over.missed", { door: name }));
    else if (why === "lost" && this.line.state === "lost") this.notice(t("over.lost"), "bad");
    else if (call.kind !== "visit" && !call.answered && why !== "hung up") this.notice(refusal(status, name), "bad");
    else if (call.answered && why === "bye") this.notice(t("over.ended"));
  }

  /** The CANCEL does not say who it was; the history does, a moment later. */
  async #answeredElsewhere({ press }) {
    const toldOf = () => (this.answered.press === press ? this.answered.by : undefined);
    let told;
    for (const pause of ASK_WHO) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      told = toldOf() ?? (await this.#whoAnswered(press)) ?? toldOf();
      if (told) break;
    }
    this.notice(told ? t("over.elsewhere.by", { name: told }) : t("over.elsewhere"));
  }

  async #whoAnswered(press) {
    try {
      const { visits } = await this.line.ask("history", { limit: 5 });
      return visits.find(({ id }) => id === press)?.by || undefined;
    } catch {
      return undefined;
    }
  }

  // Opening

  /** Open the lock of a door, with this phone's own key. Says what came of it; gives a promise of whether it is open. */
  async open(door) {
    const { name } = door;
    if (this.settings.unlock && !(await unlock(this.settings.unlock))) {
      this.notice(t("open.unlock", { door: name }), "bad");
      return false;
    }
    const ask = (note) => this.line.ask(note.step === "ask" ? "open.ask" : "open.grant", { door: door.id, note });
    const { key, home } = this.membership;
    try {
      const receipt = await openLock({ key, home, person: this.me.name }, ask);
      const done = receipt.simulated ? "door.simulated" : "door.opened";
      const refused = () => tOr(`open.${receipt.result}`, "open.failed", { door: name, why: receipt.result });
      this.notice(receipt.isOpen ? t(done, { door: name }) : refused(), receipt.isOpen ? "good" : "bad");
      return receipt.isOpen;
    } catch (error) {
      this.notice(this.#whyClosed(error, name), "bad");
      return false;
    }
  }

  #whyClosed(error, door) {
    if (error.code === "lost" || error.code === "late") return t("open.lost", { door });
    if (error instanceof GrantError || error.code) return t("open.failed", { door, why: error.message });
    throw error;
  }

  /** What an AskError means, for a person. */
  explain(error) {
    const known = { forbidden: "error.forbidden", lost: "error.lost", late: "error.late", busy: "error.busy" }[error.code];
    return known ? t(known) : error.message;
  }
}

function refusal(status, name) {
  if (status === 486 || status === 600) return t("over.busy", { name });
  if (status === 403 || status === 603) return t("over.refused", { name });
  if ([404, 408, 430, 480, 503].includes(status)) return t("over.unreachable", { name });
  return t("over.failed");
}
