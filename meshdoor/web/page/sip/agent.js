// A SIP user agent on one WebSocket (RFC 3261, RFC 7118).
//
//     const agent = new Agent({ send: (text) => socket.send(text), host: "….home.arpa" });
//     agent.on("invite", (call) => …);          an IncomingCall
//     agent.received(text);                     what the socket brought
//     const call = agent.invite(uri, offer);    an OutgoingCall
//     agent.close();                            the socket is gone: calls end with why "lost"

import { Emitter } from "./emitter.js";
import { SipError } from "./grammar.js";
import { IncomingCall } from "./incoming.js";
import { Request, parse, respond } from "./message.js";
import { OutgoingCall } from "./outgoing.js";
import { ALLOW, bodyHeaders } from "./session.js";
import { CLOCK } from "./timers.js";
import { Transactions } from "./transactions.js";

const MAX_CALLS = 16;
const MAGIC_COOKIE = "z9hG4bK";
const EXTENSIONS = new Set(["100rel"]);

function randomHex(size) {
  const bytes = crypto.getRandomValues(new Uint8Array(size));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Agent extends Emitter {
  #transactions;
  #calls = new Set();
  #random;

  constructor({ send, host, user = "phone", clock = CLOCK, random = randomHex }) {
    super();
    this.clock = clock;
    this.uri = `sip:${user}@${host}`;
    this.host = host;
    this.#random = random;
    this.#transactions = new Transactions(send, clock, {
      request: (transaction) => this.#request(transaction),
      ack: (ack) => this.#find(ack)?.acknowledged(),
    });
  }

  get calls() {
    return [...this.#calls];
  }

  /** A frame of the socket. What is no SIP message is dropped: true if it was one. */
  received(text) {
    let message;
    try {
      message = parse(text);
    } catch (error) {
      if (error instanceof SipError) return false;
      throw error;
    }
    this.#transactions.received(message);
    return true;
  }

  /** Call somebody. */
  invite(uri, offer, headers = []) {
    const invite = this.#outside("INVITE", uri, [
      this.contact(), ["Allow", ALLOW], ["Supported", "100rel"], ...headers, ...bodyHeaders(offer),
    ], offer);
    const call = new OutgoingCall(this, invite);
    this.#calls.add(call);
    return call;
  }

  /** Send a MESSAGE outside of a call; gives a promise of the status. */
  message(uri, type, body) {
    return new Promise((resolve) => {
      this.ask(this.#outside("MESSAGE", uri, bodyHeaders(body, type), body), {
        response: ({ status }) => { if (status >= 200) resolve(status); },
        failed: () => resolve(408),
      });
    });
  }

  close() {
    for (const call of this.calls) call.end({ why: "lost" });
    this.#transactions.close();
  }

  // What calls need:

  send(message) {
    this.#transactions.send(message);
  }

  /** Begin a client transaction with a request that has no Via yet. */
  ask(request, user) {
    return this.begin(this.stamped(request), user);
  }

  begin(request, user) {
    return this.#transactions.begin(request, user);
  }

  stamped(request) {
    const via = ["Via", `SIP/2.0/WSS ${this.host};branch=${MAGIC_COOKIE}${this.#random(9)};rport`];
    return new Request(request.method, request.uri, [via, ...request.headers], request.body);
  }

  contact() {
    return ["Contact", `<${this.uri}>`];
  }

  newTag() {
    return this.#random(8);
  }

  firstSequence() {
    return parseInt(this.#random(3), 16);
  }

  forget(call) {
    this.#calls.delete(call);
  }

  #outside(method, uri, headers, body) {
    return new Request(method, uri, [
      ["Max-Forwards", 70],
      ["From", `<${this.uri}>;tag=${this.newTag()}`],
      ["To", `<${uri}>`],
      ["Call-ID", this.#random(16)],
      ["CSeq", `${this.firstSequence()} ${method}`],
      ...headers,
    ], body);
  }

  #find(request) {
    return this.calls.find((call) => call.dialog?.has(request));
  }

  #request(transaction) {
    const { request } = transaction;
    if (request.method === "CANCEL") this.#cancel(transaction);
    else if (request.to.params.has("tag")) {
      const call = this.#find(request);
      if (call) call.handle(transaction);
      else transaction.send(respond(request, 481));
    } else this.#begins(transaction);
  }

  #cancel(transaction) {
    const invite = this.#transactions.cancelled(transaction.request);
    transaction.send(respond(transaction.request, invite ? 200 : 481, { tag: this.newTag() }));
    this.calls.find((call) => invite && call.request === invite.request)?.cancelled(transaction.request);
  }

  /** A request outside of any dialog. */
  #begins(transaction) {
    const { request } = transaction;
    const tag = this.newTag();
    const refused = request.headers.all("Require").filter((each) => !EXTENSIONS.has(each.toLowerCase()));
    const answer = (status, headers = []) => transaction.send(respond(request, status, { tag, headers }));
    if (refused.length) {
      answer(420, [["Unsupported", refused.join(", ")]]);
    } else if (request.method === "INVITE") {
      if (this.#calls.size >= MAX_CALLS) answer(486);
      else this.#ring(transaction);
    } else if (request.method === "OPTIONS") {
      answer(200, [["Allow", ALLOW], ["Supported", "100rel"], ["Accept", "application/sdp"]]);
    } else if (request.method === "MESSAGE") {
      answer(200);
      this.emit("message", { from: request.from, type: request.headers.get("Content-Type"), body: request.body });
    } else {
      answer(405, [["Allow", ALLOW]]);
    }
  }

  #ring(transaction) {
    const call = new IncomingCall(this, transaction);
    this.#calls.add(call);
    this.emit("invite", call);
  }
}
