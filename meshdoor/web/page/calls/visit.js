// A visitor: the INVITE of a door. The picture is there while it rings; the microphone only after `answer`.
//
// Events: "change", "over" {why, reasons}. States: "ringing", "talking", "over".

import { Emitter } from "../sip/emitter.js";

const CALLED = 180;
const EARLY = 183;
const NOT_ACCEPTABLE = 488;

export class Visit extends Emitter {
  #call;
  #peer;
  #capture;
  #answer = null; // our session description
  #wanted = false; // the person was faster than it

  /** `capture` gives a promise of a microphone's track. */
  constructor(call, peer, door, capture) {
    super();
    this.#call = call;
    this.#peer = peer;
    this.#capture = capture;
    this.kind = "visit";
    this.id = call.request.callId;
    this.press = call.request.headers.get("Meshdoor-Press") ?? "";
    this.door = door;
    this.state = "ringing";
    this.muted = false;
    this.microphone = ""; // why there is none
    this.since = Date.now();
    this.shown = false;
    call.on("ended", (detail) => this.#over(detail));
    call.onOffer = (body) => peer.answer(body);
    peer.on("track", () => this.emit("change"));
    peer.on("failed", () => this.hangup());
  }

  get stream() {
    return this.#peer.stream;
  }

  /** Answer the door's offer while it rings. */
  async begin() {
    try {
      this.#answer = await this.#peer.answer(this.#call.request.body);
    } catch {
      this.#answer = "";
    }
    if (this.state === "over") return;
    if (!this.#answer) this.#call.progress(CALLED);
    else if (this.#wanted) this.#accept();
    else this.#call.progress(EARLY, this.#answer);
    if (!this.#answer && this.#wanted) this.#call.reject(NOT_ACCEPTABLE);
  }

  /** The person answers. */
  async answer() {
    if (this.state !== "ringing") return;
    this.state = "talking";
    this.since = Date.now();
    this.#wanted = true;
    this.emit("change");
    if (this.#answer) this.#accept();
    else if (this.#answer === "") {
      this.#call.reject(NOT_ACCEPTABLE);
      return;
    }
    await this.#listen();
  }

  decline() {
    this.#call.reject();
  }

  hangup() {
    this.#call.hangup();
  }

  mute(muted) {
    this.muted = muted;
    if (this.track) this.track.enabled = !muted;
    this.emit("change");
  }

  #accept() {
    this.#call.accept(this.#answer);
  }

  async #listen() {
    try {
      const track = await this.#capture();
      if (this.state === "over") {
        track.stop();
        return;
      }
      track.enabled = !this.muted;
      this.track = track;
      await this.#peer.speak(track);
    } catch (error) {
      this.microphone = error.why ?? "failed";
    }
    this.emit("change");
  }

  #over(detail) {
    this.answered = this.state === "talking";
    this.state = "over";
    this.track?.stop();
    this.#peer.close();
    this.emit("over", detail);
    this.emit("change");
  }
}
