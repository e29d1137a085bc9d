// One WebSocket to the node on which this phone proves who it is (see meshdoor/web/__init__.py).
//
// Events: "attached" {what the node says of this phone}, "message" text, "closed" {code, refused}: once, at the end.

import { Emitter } from "../sip/emitter.js";
import { prove } from "../trust/attach.js";

const CONNECT = 2500; // ms until the socket must be open
const ATTACH = 5000; // ms until the node must have let us in
const QUIET = 4000; // ms between keep-alives
const PATIENCE = 2500; // ms until something must have come after one
const KEEP_ALIVE = "\r\n\r\n"; // RFC 5626 §3.5.1

export class Attachment extends Emitter {
  #socket;
  #clock;
  #membership;
  #purpose;
  #timer = null;
  #state = "opening"; // opening, proving, attached, closed
  #refused = null;

  constructor(socket, membership, purpose, clock) {
    super();
    this.#socket = socket;
    this.#membership = membership;
    this.#purpose = purpose;
    this.#clock = clock;
    socket.onopen = () => this.#wait(ATTACH);
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code }) => this.#over(code);
    socket.onerror = () => this.#over(1006);
    this.#wait(CONNECT);
  }

  get attached() {
    return this.#state === "attached";
  }

  send(text) {
    if (this.attached) this.#socket.send(text);
  }

  close() {
    this.#over(1000);
  }

  /** Is the other end still there? If not, "closed" comes soon. */
  probe() {
    if (!this.attached) return;
    this.#socket.send(KEEP_ALIVE);
    this.#wait(PATIENCE);
  }

  #received(text) {
    if (typeof text !== "string") return;
    if (this.#state === "opening") this.#prove(text);
    else if (this.#state === "proving") this.#judged(text);
    else if (this.attached) {
      this.#idle();
      if (!text.trim()) return;
      if (this.#isRefusal(text)) return;
      this.emit("message", text);
    }
  }

  async #prove(text) {
    this.#state = "proving";
    const { key, fingerprint } = this.#membership;
    try {
      const { challenge } = JSON.parse(text);
      this.#socket.send(JSON.stringify(await prove(key, challenge, fingerprint, this.#purpose)));
    } catch {
      this.#over(1002);
    }
  }

  #judged(text) {
    const said = read(text);
    if (this.#isRefusal(text)) return;
    if (!said?.attached) {
      this.#over(1002);
      return;
    }
    this.#state = "attached";
    this.#idle();
    this.emit("attached", said.attached);
  }

  /** A refusal comes last, and in the middle of anything. */
  #isRefusal(text) {
    const refused = text.startsWith('{"refused"') ? read(text)?.refused : undefined;
    if (!refused) return false;
    this.#refused = refused;
    this.#over(4403);
    return true;
  }

  #idle() {
    this.#clear();
    this.#timer = this.#clock.set(() => this.probe(), QUIET);
  }

  #wait(patience) {
    this.#clear();
    this.#timer = this.#clock.set(() => this.#over(4000), patience);
  }

  #clear() {
    if (this.#timer !== null) this.#clock.clear(this.#timer);
    this.#timer = null;
  }

  #over(code) {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#clear();
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null;
    this.#socket.close();
    this.emit("closed", { code, refused: this.#refused });
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
