// Everybody whom this phone talks with or is rung by. One conversation at a time; visitors come in meanwhile.
//
// Events: "change", "over" {call, why, elsewhere}.

import { Agent } from "../sip/agent.js";
import { Emitter } from "../sip/emitter.js";
import { hostOf } from "../sip/grammar.js";
import { isElsewhere } from "../sip/session.js";
import { Conversation } from "./conversation.js";
import { Visit } from "./visit.js";

export class Desk extends Emitter {
  #line;
  #makePeer;
  #capture;
  #agent = null;
  #id;

  /** `makePeer` gives the media of a call, `capture` a promise of a microphone's track. */
  constructor({ line, id, makePeer, capture }) {
    super();
    this.#line = line;
    this.#id = id;
    this.#makePeer = makePeer;
    this.#capture = capture;
    this.visits = [];
    this.conversation = null;
    line.on("sip", (text) => this.#agent?.received(text));
    line.on("state", (state) => this.#lineChanged(state));
  }

  /** What a person should look at first: a talk, then who waits longest. */
  get front() {
    return this.talking ?? this.visits[0] ?? this.conversation;
  }

  get talking() {
    return this.visits.find(({ state }) => state === "talking") ?? null;
  }

  /** Does anything ring here? */
  get rings() {
    return this.visits.some(({ state }) => state === "ringing") || this.conversation?.state === "alerting";
  }

  look(door) {
    return this.#converse(door, "look");
  }

  call(member) {
    return this.#converse(member, "room");
  }

  /** Answer what rings; whatever else is under way here ends. */
  answer(call) {
    for (const other of [...this.visits, this.conversation]) {
      if (other && other !== call && other.state !== "ringing") other.hangup();
    }
    return call.answer();
  }

  #converse(member, kind) {
    if (!this.#agent || this.conversation || this.talking) return null;
    const conversation = this.#make(member, kind);
    conversation.begin();
    return conversation;
  }

  #make(member, kind) {
    const peer = this.#makePeer();
    const made = new Conversation({ agent: this.#agent, peer, member, kind, capture: this.#capture });
    this.conversation = made;
    this.#watch(made, () => { if (this.conversation === made) this.conversation = null; });
    return made;
  }

  #lineChanged(state) {
    if (state === "attached") {
      this.#agent = new Agent({ send: (text) => this.#line.sendSip(text), host: `${this.#id}.home.arpa` });
      this.#agent.on("invite", (call) => this.#invited(call));
    } else {
      this.#agent?.close();
      this.#agent = null;
    }
    this.emit("change");
  }

  #invited(call) {
    const member = memberOf(call.request);
    if (call.request.headers.get("Meshdoor-Press") !== undefined) {
      const visit = new Visit(call, this.#makePeer(), member, this.#capture);
      this.visits = [...this.visits, visit];
      this.#watch(visit, () => { this.visits = this.visits.filter((each) => each !== visit); });
      visit.begin();
    } else if (this.conversation || this.visits.length) {
      call.reject(486);
    } else {
      this.#make(member, "room").receive(call);
    }
    this.emit("change");
  }

  #watch(call, forget) {
    call.on("change", () => this.emit("change"));
    call.on("over", ({ why, status, reasons = [] }) => {
      forget();
      this.emit("over", { call, why, status, elsewhere: isElsewhere(reasons) });
    });
    this.emit("change");
  }
}

/** Who calls: the node has put it there (RFC 3325), or the From of a door. */
function memberOf(request) {
  const asserted = request.headers.get("P-Asserted-Identity");
  const uri = asserted ? /<([^>]+)>/.exec(asserted)?.[1] ?? asserted : request.from.uri;
  return { id: hostOf(uri).split(".")[0], name: request.from.name };
}
