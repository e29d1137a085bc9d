// A call that comes in (UAS of an INVITE): RFC 3261 §13.3, reliable provisional responses of RFC 3262.

import { Dialog } from "./dialog.js";
import { respond } from "./message.js";
import { ALLOW, Session, bodyHeaders, reasonsOf } from "./session.js";

export class IncomingCall extends Session {
  #transaction;
  #reliable;
  #rseq = 0;
  #waiting = null; // a 200 that waits for the PRACK
  #hangsUp = false; // a BYE that waits for the ACK

  constructor(agent, transaction) {
    super(agent);
    this.#transaction = transaction;
    this.tag = agent.newTag();
    this.dialog = Dialog.ofRequest(transaction.request, this.tag, agent.firstSequence());
    this.#reliable = transaction.request.headers.lists("Require", "100rel");
  }

  get request() {
    return this.#transaction.request;
  }

  /** A provisional response; with a body that is the answer, it makes early media. */
  progress(status, body = "") {
    if (this.over || this.#transaction.done || this.repeater.active) return;
    const rseq = this.#reliable ? [["Require", "100rel"], ["RSeq", (this.#rseq += 1)]] : [];
    const response = this.#response(status, body, rseq);
    this.phase = "early";
    this.#transaction.send(response);
    if (this.#reliable) {
      this.repeater.start(() => this.agent.send(response), () => this.reject(500));
    }
  }

  /** Answer it. */
  accept(body) {
    if (this.over || this.#transaction.done) return;
    if (this.#rseq && this.repeater.active) {
      this.#waiting = body; // what was answered reliably must be confirmed first (RFC 3262 §3)
      return;
    }
    const response = this.#response(200, body, [["Allow", ALLOW]]);
    this.phase = "confirmed";
    this.#transaction.send(response);
    this.repeater.start(() => this.agent.send(response), () => this.bye("no ACK"));
    this.emit("accepted");
  }

  /** Turn it down: 603 for this person, 486 where it is busy. */
  reject(status = 603) {
    if (this.over || this.#transaction.done) return;
    this.#transaction.send(respond(this.request, status, { tag: this.tag }));
    this.end({ why: "rejected", status });
  }

  /** End it, whatever it is by now. */
  hangup() {
    if (this.over) return;
    if (this.phase !== "confirmed") this.reject(603);
    else if (this.repeater.active) this.#hangsUp = true; // no BYE before the ACK (§15)
    else this.bye();
  }

  acknowledged() {
    super.acknowledged();
    if (this.#hangsUp && !this.over) this.bye();
  }

  handle(transaction) {
    if (transaction.request.method === "PRACK") this.#prack(transaction);
    else super.handle(transaction);
  }

  /** A CANCEL, which the agent has answered. */
  cancelled(cancel) {
    if (this.over || this.#transaction.done) return;
    this.#transaction.send(respond(this.request, 487, { tag: this.tag }));
    this.end({ why: "cancelled", reasons: reasonsOf(cancel), remote: true });
  }

  left(reasons) {
    if (!this.#transaction.done) this.#transaction.send(respond(this.request, 487, { tag: this.tag }));
    super.left(reasons);
  }

  #prack(transaction) {
    const { request } = transaction;
    const [rseq, number] = (request.headers.get("RAck") ?? "").split(/\s+/).map(Number);
    const fits = this.repeater.active && rseq === this.#rseq && number === this.request.cseq.number;
    if (!fits || !this.dialog.inOrder(request)) {
      transaction.send(respond(request, 481));
      return;
    }
    this.repeater.stop();
    transaction.send(respond(request, 200));
    if (this.#waiting !== null) this.accept(this.#waiting);
  }

  #response(status, body, headers) {
    const all = [this.agent.contact(), ...headers, ...bodyHeaders(body)];
    return respond(this.request, status, { tag: this.tag, headers: all, body });
  }
}
