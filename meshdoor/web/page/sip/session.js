// What calls in both directions share: a dialog, and what may happen inside of it.
//
// Events: "ended" {why, status, reasons, remote}, "info" and "message" {type, body}. `onOffer(body)` is set by who
// handles media: it gives a promise of the answer to an offer of the other side, and throws where there is none.

import { Emitter } from "./emitter.js";
import { parseReason } from "./grammar.js";
import { respond } from "./message.js";
import { Repeater } from "./repeater.js";

export const SDP = "application/sdp";
export const ALLOW = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS";

export function bodyHeaders(body, type = SDP) {
  return body ? [["Content-Type", type]] : [];
}

export function reasonsOf(request) {
  return request.headers.all("Reason").map(parseReason);
}

/** "Call completed elsewhere" (RFC 3326). */
export function isElsewhere(reasons) {
  return reasons.some(({ protocol, cause }) => protocol === "SIP" && cause === 200);
}

export class Session extends Emitter {
  constructor(agent) {
    super();
    this.agent = agent;
    this.dialog = null;
    this.phase = "begun"; // begun, early, confirmed, ended
    this.onOffer = async () => { throw new Error("no media"); };
    this.repeater = new Repeater(agent.clock);
    this.#reoffer = null;
  }

  #reoffer; // our re-INVITE that is under way
  #offered = false; // a re-INVITE of theirs is being answered

  get over() {
    return this.phase === "ended";
  }

  /** Offer something else; gives a promise of the answer, which fails with {status}. */
  reinvite(body) {
    if (this.phase !== "confirmed" || this.#reoffer || this.#offered) return Promise.reject({ status: 491 });
    return new Promise((resolve, reject) => {
      this.#reoffer = { resolve, reject };
      const headers = [this.agent.contact(), ["Allow", ALLOW], ...bodyHeaders(body)];
      this.agent.ask(this.dialog.request("INVITE", headers, body), {
        response: (response) => this.#reanswered(response),
        failed: () => this.#settle("reject", { status: 408 }),
      });
    });
  }

  /** Send an INFO or a MESSAGE; gives a promise of the status. */
  tell(method, type, body) {
    return new Promise((resolve) => {
      this.agent.ask(this.dialog.request(method, bodyHeaders(body, type), body), {
        response: ({ status }) => { if (status >= 200) resolve(status); },
        failed: () => resolve(408),
      });
    });
  }

  /** End a dialog that stands. */
  bye(why = "hung up") {
    this.agent.ask(this.dialog.request("BYE"), { response() {}, failed() {} });
    this.end({ why });
  }

  end(detail) {
    if (this.over) return;
    this.phase = "ended";
    this.repeater.stop();
    this.#settle("reject", { status: 487 });
    this.agent.forget(this);
    this.emit("ended", { status: 0, reasons: [], remote: false, ...detail });
  }

  /** A request inside of the dialog. */
  handle(transaction) {
    const { request } = transaction;
    if (!this.dialog.inOrder(request)) {
      transaction.send(respond(request, 500));
      return;
    }
    switch (request.method) {
      case "BYE":
        transaction.send(respond(request, 200));
        this.left(reasonsOf(request));
        break;
      case "INVITE":
      case "UPDATE":
        this.#offer(transaction);
        break;
      case "INFO":
      case "MESSAGE":
        transaction.send(respond(request, 200));
        this.emit(request.method.toLowerCase(), { type: request.headers.get("Content-Type"), body: request.body });
        break;
      case "OPTIONS":
        transaction.send(respond(request, 200, { headers: [["Allow", ALLOW]] }));
        break;
      default:
        transaction.send(respond(request, 405, { headers: [["Allow", ALLOW]] }));
    }
  }

  /** The other side ended it. */
  left(reasons) {
    this.end({ why: "bye", reasons, remote: true });
  }

  /** The ACK of a 2xx of ours. */
  acknowledged() {
    this.repeater.stop();
  }

  async #offer(transaction) {
    const { request } = transaction;
    this.dialog.refresh(request);
    const isInvite = request.method === "INVITE";
    if (!isInvite && !request.body) {
      transaction.send(respond(request, 200, { headers: [this.agent.contact()] }));
      return;
    }
    if (this.#reoffer || this.#offered) {
      transaction.send(respond(request, 491));
      return;
    }
    this.#offered = true;
    const response = await this.#answer(request);
    this.#offered = false;
    if (this.over && isInvite) return;
    transaction.send(response);
    if (isInvite && response.status < 300) {
      this.repeater.start(() => this.agent.send(response), () => this.bye("no ACK"));
    }
  }

  async #answer(request) {
    try {
      const body = await this.onOffer(request.body);
      return respond(request, 200, { headers: [this.agent.contact(), ...bodyHeaders(body)], body });
    } catch {
      return respond(request, 488);
    }
  }

  #reanswered(response) {
    if (response.status < 200) return;
    if (response.status >= 300) {
      this.#settle("reject", { status: response.status });
      return;
    }
    this.agent.send(this.agent.stamped(this.dialog.request("ACK", [], "", response.cseq.number)));
    this.dialog.refresh(response);
    this.#settle("resolve", response.body);
  }

  #settle(how, value) {
    const pending = this.#reoffer;
    this.#reoffer = null;
    pending?.[how](value);
  }
}
