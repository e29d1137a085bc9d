// A call of ours (UAC of an INVITE): RFC 3261 §13.2, §9.1; PRACK of RFC 3262.

import { Dialog } from "./dialog.js";
import { Request } from "./message.js";
import { Session } from "./session.js";

export class OutgoingCall extends Session {
  #request;
  #dialogs = new Map(); // by the tag of who answered
  #acks = new Map();
  #rseqs = new Map();
  #provisional = false;
  #cancelled = false;

  /** `invite` is complete but for its Via. */
  constructor(agent, invite) {
    super(agent);
    this.#request = agent.ask(invite, {
      response: (response) => this.#response(response),
      failed: () => this.end({ why: this.#cancelled ? "hung up" : "no answer", status: 408 }),
    }).request;
  }

  get request() {
    return this.#request;
  }

  /** End it, whatever it is by now. */
  hangup() {
    if (this.over) return;
    if (this.phase === "confirmed") this.bye();
    else if (!this.#cancelled) {
      this.#cancelled = true;
      if (this.#provisional) this.#cancel(); // not before a provisional response (§9.1)
    }
  }

  #response(response) {
    if (response.status < 200) this.#progress(response);
    else if (response.status < 300) this.#answered(response);
    else this.end({ why: this.#cancelled ? "hung up" : "rejected", status: response.status, remote: true });
  }

  #progress(response) {
    if (this.over || this.phase === "confirmed") return;
    const first = !this.#provisional;
    this.#provisional = true;
    if (this.#cancelled) {
      if (first) this.#cancel();
      return;
    }
    if (response.to.params.has("tag")) {
      this.dialog = this.#dialogOf(response);
      this.phase = "early";
      if (!this.#pracked(response)) return;
    }
    this.emit("progress", { status: response.status, body: response.body });
  }

  #answered(response) {
    const tag = response.to.params.get("tag") ?? "";
    const known = this.#acks.get(tag);
    if (known) {
      this.agent.send(known); // the 2xx came again (§13.2.2.4)
      return;
    }
    const dialog = this.#dialogOf(response);
    const ack = this.agent.stamped(dialog.request("ACK", [], "", this.#request.cseq.number));
    this.#acks.set(tag, ack);
    this.agent.send(ack);
    if (this.over || this.#cancelled || this.phase === "confirmed") {
      this.agent.ask(dialog.request("BYE"), { response() {}, failed() {} });
      if (this.#cancelled) this.end({ why: "hung up" });
      return;
    }
    this.dialog = dialog;
    this.phase = "confirmed";
    this.emit("answered", { body: response.body });
  }

  #dialogOf(response) {
    const tag = response.to.params.get("tag") ?? "";
    const known = this.#dialogs.get(tag);
    if (known) known.refresh(response);
    else this.#dialogs.set(tag, Dialog.ofResponse(this.#request, response));
    return this.#dialogs.get(tag);
  }

  /** Confirm a reliable provisional response; false for one that came again. */
  #pracked(response) {
    const rseq = Number(response.headers.get("RSeq"));
    if (!response.headers.lists("Require", "100rel") || !rseq) return true;
    const tag = this.dialog.remoteTag;
    if (rseq <= (this.#rseqs.get(tag) ?? 0)) return false;
    this.#rseqs.set(tag, rseq);
    const rack = ["RAck", `${rseq} ${this.#request.cseq.number} INVITE`];
    this.agent.ask(this.dialog.request("PRACK", [rack]), { response() {}, failed() {} });
    return true;
  }

  #cancel() {
    const invite = this.#request;
    const copied = ["Max-Forwards", "From", "To", "Call-ID"].map((name) => [name, invite.headers.get(name)]);
    const cancel = new Request("CANCEL", invite.uri, [
      ["Via", invite.headers.get("Via")],
      ...invite.headers.all("Route").map((value) => ["Route", value]),
      ...copied,
      ["CSeq", `${invite.cseq.number} CANCEL`],
    ]);
    this.agent.begin(cancel, { response() {}, failed() {} });
  }
}
