// The media of one call: an RTCPeerConnection behind offers and answers that are whole (no trickle).
//
// Events: "track" when the remote stream has more in it, "failed" when the path is lost for good.

import { Emitter } from "../sip/emitter.js";

const GATHER = 60; // ms: the node's own addresses do for a path inside of the house
const GATHER_OUTSIDE = 1500; // ms, where there are STUN or TURN servers
const RETURN = 4000; // ms in which a path may come back

export class Peer extends Emitter {
  #pc;
  #patience;
  #timer = null;
  #track = null;

  constructor(iceServers = [], makeConnection = (config) => new RTCPeerConnection(config)) {
    super();
    this.#patience = iceServers.length ? GATHER_OUTSIDE : GATHER;
    this.#pc = makeConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.stream = null;
    this.#pc.ontrack = ({ track, receiver }) => this.#arrived(track, receiver);
    this.#pc.onconnectionstatechange = () => this.#changed(this.#pc.connectionState);
  }

  /** Answer an offer: we take what is sent, and could speak; until `speak` nothing is captured or sent. */
  async answer(sdp) {
    await this.#pc.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of this.#pc.getTransceivers()) {
      if (transceiver.stopped || transceiver.direction === "inactive") continue;
      if (kindOf(transceiver) === "audio") transceiver.direction = "sendrecv";
    }
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    return this.#whole();
  }

  /** Offer: directions of sound and picture as seen from here. */
  async offer({ audio, video }) {
    this.#pc.addTransceiver("audio", { direction: audio });
    const picture = this.#pc.addTransceiver("video", { direction: video });
    picture.setCodecPreferences?.(preferred());
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return this.#whole();
  }

  /** Offer again, with sound both ways. */
  async offerSound() {
    for (const transceiver of this.#sounds()) transceiver.direction = "sendrecv";
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return this.#whole();
  }

  /** What was offered is refused: back to before. */
  async refused() {
    if (this.#pc.signalingState === "have-local-offer") await this.#pc.setLocalDescription({ type: "rollback" });
  }

  async take(answer) {
    await this.#pc.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /** Send this microphone's sound from now on. */
  async speak(track) {
    this.#track = track;
    await Promise.all(this.#sounds().map(({ sender }) => sender.replaceTrack(track)));
  }

  close() {
    this.#clear();
    this.#track?.stop();
    this.#pc.ontrack = this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }

  #sounds() {
    return this.#pc.getTransceivers().filter((each) => !each.stopped && kindOf(each) === "audio");
  }

  #arrived(track, receiver) {
    if ("jitterBufferTarget" in receiver && track.kind === "video") receiver.jitterBufferTarget = 0;
    this.stream = new MediaStream([...(this.stream?.getTracks() ?? []), track]);
    this.emit("track");
  }

  async #whole() {
    if (this.#pc.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, this.#patience);
        this.#pc.addEventListener("icegatheringstatechange", () => {
          if (this.#pc.iceGatheringState !== "complete") return;
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#pc.localDescription.sdp;
  }

  #changed(state) {
    this.#clear();
    if (state === "failed") this.emit("failed");
    else if (state === "disconnected") this.#timer = setTimeout(() => this.emit("failed"), RETURN);
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function kindOf(transceiver) {
  return transceiver.receiver.track.kind;
}

/** H.264 first: what a door encodes anyway. */
function preferred() {
  const { codecs } = RTCRtpReceiver.getCapabilities("video") ?? { codecs: [] };
  const rank = ({ mimeType }) => (mimeType.toLowerCase() === "video/h264" ? 0 : 1);
  return [...codecs].sort((a, b) => rank(a) - rank(b));
}
