// A call that is no press: looking through a door ("look"), or talking with another room ("room").
//
// Events: "change", "over" {why, status}. States: "calling", "ringing" (there), "alerting" (here), "connected", "over".
// Who looks at a door sees and hears nothing of this end; `speak` makes the sound two-way.

import { Emitter } from "../sip/emitter.js";

export class Conversation extends Emitter {
  #agent;
  #call = null;
  #peer;
  #capture;
  #answer = "";
  #left = false;

  constructor({ agent, peer, member, kind, capture }) {
    super();
    this.#agent = agent;
    this.#peer = peer;
    this.#capture = capture;
    this.id = "";
    this.kind = kind;
    this.member = member;
    this.state = "calling";
    this.incoming = false;
    this.speaking = false;
    this.asking = false;
    this.refused = false;
    this.muted = false;
    this.microphone = "";
    this.since = Date.now();
    peer.on("track", () => this.emit("change"));
    peer.on("failed", () => this.hangup());
  }

  get stream() {
    return this.#peer.stream;
  }

  /** Call the member. */
  async begin() {
    const audio = this.kind === "look" ? "inactive" : "sendrecv";
    let offer;
    try {
      offer = await this.#peer.offer({ audio, video: "recvonly" });
    } catch {
      this.#over({ why: "failed", status: 0 });
      return;
    }
    if (this.#left) {
      this.#over({ why: "hung up", status: 0 });
      return;
    }
    this.#follow(this.#agent.invite(`sip:meshdoor@${this.member.id}.home.arpa`, offer));
    this.#call.on("progress", ({ status }) => { if (status > 100) this.#become("ringing"); });
    this.#call.on("answered", ({ body }) => this.#answered(body));
  }

  /** Somebody calls this phone. */
  async receive(call) {
    this.incoming = true;
    this.state = "alerting";
    this.#follow(call);
    call.progress(180);
    try {
      this.#answer = await this.#peer.answer(call.request.body);
    } catch {
      call.reject(488);
    }
  }

  /** Take the call that came in. */
  async answer() {
    if (this.state !== "alerting" || !this.#answer) return;
    this.#call.accept(this.#answer);
    this.since = Date.now();
    this.#become("connected");
    await this.#talk();
  }

  decline() {
    this.#call?.reject();
  }

  hangup() {
    this.#left = true;
    this.#call?.hangup();
  }

  mute(muted) {
    this.muted = muted;
    if (this.track) this.track.enabled = !muted;
    this.emit("change");
  }

  /** Through a door: be heard there, and hear. */
  async speak() {
    if (this.kind !== "look" || this.state !== "connected" || this.speaking || this.asking) return;
    this.asking = true;
    this.refused = false;
    this.emit("change");
    try {
      await this.#peer.take(await this.#call.reinvite(await this.#peer.offerSound()));
      this.speaking = true;
      await this.#talk();
    } catch {
      await this.#peer.refused().catch(() => {});
      this.refused = true;
    }
    this.asking = false;
    this.emit("change");
  }

  #follow(call) {
    this.#call = call;
    this.id = call.request.callId;
    call.onOffer = (body) => this.#peer.answer(body);
    call.on("ended", (detail) => this.#over(detail));
  }

  async #answered(body) {
    try {
      await this.#peer.take(body);
    } catch {
      this.hangup();
      return;
    }
    this.since = Date.now();
    this.#become("connected");
    if (this.kind === "room") await this.#talk();
  }

  async #talk() {
    try {
      this.track = await this.#capture();
      if (this.state === "over") this.track.stop();
      else {
        this.track.enabled = !this.muted;
        await this.#peer.speak(this.track);
      }
    } catch (error) {
      this.microphone = error.why ?? "failed";
    }
    this.emit("change");
  }

  #become(state) {
    if (this.state === "over") return;
    this.state = state;
    this.emit("change");
  }

  #over(detail) {
    if (this.state === "over") return;
    this.answered = this.state === "connected";
    this.state = "over";
    this.track?.stop();
    this.#peer.close();
    this.emit("over", detail);
    this.emit("change");
  }
}
