// Two user agents, a list of frames between them, and a clock that the test moves.
import { Agent } from "../../../meshdoor/web/page/sip/agent.js";
import { parse } from "../../../meshdoor/web/page/sip/message.js";

export class FakeClock {
  now = 0;
  #timers = new Map();
  #next = 1;

  set(callback, delay) {
    this.#timers.set(this.#next, { at: this.now + delay, callback });
    return (this.#next += 1) - 1;
  }

  clear(id) {
    this.#timers.delete(id);
  }

  get pending() {
    return this.#timers.size;
  }

  advance(milliseconds) {
    const until = this.now + milliseconds;
    for (;;) {
      const [id, due] = [...this.#timers].filter(([, { at }]) => at <= until).sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (due === undefined) break;
      this.#timers.delete(id);
      this.now = due.at;
      due.callback();
    }
    this.now = until;
  }
}

function counter(prefix) {
  let count = 0;
  return (size) => (prefix + (count += 1).toString(16)).padStart(2 * size, "0");
}

/** One agent; what it sends is in `sent`, and `take()` gives it as messages. */
export function lone(host = "phone.home.arpa") {
  const clock = new FakeClock();
  const sent = [];
  const agent = new Agent({ send: (text) => sent.push(text), host, clock, random: counter("a") });
  const heard = [];
  for (const name of ["invite", "message"]) agent.on(name, (detail) => heard.push(detail));
  return { agent, clock, heard, sent, take: () => sent.splice(0).map(parse), said: () => sent.splice(0).map(parse).map(brief) };
}

/** Two agents that talk over a wire; `run()` carries frames until there are none, `log` has what was carried. */
export function couple() {
  const clock = new FakeClock();
  const log = [];
  const wire = [];
  const ends = {};
  const make = (name, other) =>
    new Agent({ send: (text) => wire.push([other, text]), host: `${name}.home.arpa`, clock, random: counter(name) });
  ends.door = make("d00r", "phone");
  ends.phone = make("fade", "door");
  const run = async () => {
    for (let idle = 0; idle < 3; idle += 1) {
      await null;
      while (wire.length) {
        const [to, text] = wire.shift();
        log.push(brief(parse(text)));
        ends[to].received(text);
        idle = 0;
      }
    }
  };
  return { ...ends, clock, log, run, wire };
}

export function brief(message) {
  return message.method ?? `${message.status} ${message.cseq.method}`;
}

/** An INVITE as a door sends it. */
export function invite({ method = "INVITE", headers = [], body = "offer", branch = "z9hG4bKd1", cseq = 1, to = "" } = {}) {
  return [
    `${method} sip:phone@phone.home.arpa SIP/2.0`,
    `Via: SIP/2.0/TLS proxy.home.arpa;branch=${branch}`,
    "Via: SIP/2.0/TLS door.home.arpa;branch=z9hG4bKinner",
    "Record-Route: <sip:flow@proxy.home.arpa;lr>",
    "Max-Forwards: 69",
    "From: <sip:door@door.home.arpa>;tag=from1",
    `To: <sip:phone@phone.home.arpa>${to && `;tag=${to}`}`,
    "Call-ID: call1",
    `CSeq: ${cseq} ${method}`,
    "Contact: <sip:door@door.home.arpa>",
    ...headers,
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}
