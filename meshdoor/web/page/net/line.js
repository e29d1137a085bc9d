// The line to the node: both sockets, made again whenever one is lost.
//
// States: "connecting" (for the first time), "attached", "lost" (it is being tried again), "refused" (revoked,
// expired, unknown, wrong: no use in trying), "moved" (this phone was opened in another window).
// Events: "state", "sip" text, "event" {what happens in the home}.

import { Emitter } from "../sip/emitter.js";
import { CLOCK } from "../sip/timers.js";
import { Attachment } from "./attachment.js";
import { AskError, Questions } from "./questions.js";

const PAUSES = [100, 300, 600, 1000, 1500]; // ms between tries; the last one again and again
const SOCKETS = { sip: ["/phone", "sip"], home: ["/home", "meshdoor"] };
const MOVED = 4409;
const SLOWER = 5000; // ms, where the node has too much to do
const TOO_MUCH = 4429;

export class Line extends Emitter {
  #membership;
  #connect;
  #clock;
  #sockets = null;
  #questions = null;
  #timer = null;
  #tries = 0;

  constructor(membership, connect = connectHere, clock = CLOCK) {
    super();
    this.#membership = membership;
    this.#connect = connect;
    this.#clock = clock;
    this.state = "connecting";
    this.refusal = null;
    this.me = null; // what the node says of this phone
  }

  start() {
    this.#clear();
    if (this.#sockets) return;
    const sockets = {};
    for (const [purpose, [path, protocol]] of Object.entries(SOCKETS)) {
      const socket = new Attachment(this.#connect(path, protocol), this.#membership, purpose, this.#clock);
      socket.on("attached", (said) => this.#attached(sockets, said));
      socket.on("closed", (detail) => this.#closed(sockets, detail));
      sockets[purpose] = socket;
    }
    this.#sockets = sockets;
    sockets.sip.on("message", (text) => this.emit("sip", text));
    sockets.home.on("message", (text) => this.#told(text));
  }

  /** The network may be back, or gone: look now. */
  hurry() {
    if (this.state === "attached") for (const socket of Object.values(this.#sockets)) socket.probe();
    else if (this.#timer !== null) {
      this.#tries = 0;
      this.start();
    }
  }

  /** Try again after "refused" or "moved". */
  again() {
    this.#tries = 0;
    this.#become("connecting");
    this.start();
  }

  stop() {
    this.#clear();
    this.#drop();
  }

  sendSip(text) {
    this.#sockets?.sip.send(text);
  }

  /** A promise of the answer, which fails with AskError. */
  ask(verb, args) {
    return this.#questions ? this.#questions.ask(verb, args) : Promise.reject(new AskError("lost"));
  }

  #attached(sockets, said) {
    this.me = { ...this.me, ...said };
    if (sockets !== this.#sockets || !Object.values(sockets).every((socket) => socket.attached)) return;
    this.#tries = 0;
    this.#questions = new Questions((text) => sockets.home.send(text), this.#clock);
    this.#become("attached");
  }

  #closed(sockets, { code, refused }) {
    if (sockets !== this.#sockets) return;
    this.#drop();
    if (refused) {
      this.refusal = refused;
      this.#become("refused");
    } else if (code === MOVED) {
      this.#become("moved");
    } else {
      const pause = code === TOO_MUCH ? SLOWER : PAUSES[Math.min(this.#tries, PAUSES.length - 1)];
      this.#tries += 1;
      this.#timer = this.#clock.set(() => this.start(), pause);
      this.#become("lost");
    }
  }

  #told(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (this.#questions?.received(message) || !message.event) return;
    this.emit("event", typeof message.event === "string" ? message : message.event);
  }

  #drop() {
    const sockets = this.#sockets;
    this.#sockets = null;
    this.#questions?.close();
    this.#questions = null;
    for (const socket of Object.values(sockets ?? {})) socket.close();
  }

  #clear() {
    if (this.#timer !== null) this.#clock.clear(this.#timer);
    this.#timer = null;
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit("state", state);
  }
}

function connectHere(path, protocol) {
  const scheme = location.protocol === "http:" ? "ws" : "wss"; // a loopback address is safe without TLS
  return new WebSocket(`${scheme}://${location.host}${path}`, protocol);
}
