// A door in a browser, for tests: it draws who stands before it, rings with the user agent of the page, and answers
// those who look. The test evaluates this as a function in a page of the same origin; `doorSends` carries frames out.
async ({ phone }) => {
  const { Agent } = await import("/sip/agent.js");
  const shown = document.createElement("canvas");
  Object.assign(shown, { width: 1280, height: 720 });
  const pen = shown.getContext("2d");
  let frame = 0;

  function scene(context, at, night) {
    const sky = context.createLinearGradient(0, 0, 0, 720);
    sky.addColorStop(0, night ? "#1d2a44" : "#8fb7d9");
    sky.addColorStop(0.55, night ? "#4a4560" : "#f3dfc0");
    sky.addColorStop(1, night ? "#2a2732" : "#c9b28b");
    context.fillStyle = sky;
    context.fillRect(0, 0, 1280, 720);
    context.fillStyle = night ? "#20352d" : "#5f8a5a";
    for (const [x, r] of [[80, 150], [230, 110], [1040, 130], [1210, 170]]) {
      context.beginPath();
      context.arc(x, 430, r, 0, 7);
      context.fill();
    }
    context.fillStyle = night ? "#3a3640" : "#b9ab95";
    context.beginPath();
    context.moveTo(480, 430); context.lineTo(800, 430); context.lineTo(1120, 720); context.lineTo(160, 720);
    context.fill();
    context.fillStyle = night ? "#272431" : "#8e6f56";
    context.fillRect(0, 0, 90, 720);
    context.fillRect(1190, 0, 90, 720);
    context.fillRect(0, 0, 1280, 54);
    const sway = Math.sin(at / 14) * 10;
    context.save();
    context.translate(640 + sway, 0);
    context.fillStyle = night ? "#53688c" : "#2f5d7c"; // the coat
    context.beginPath();
    context.moveTo(-170, 720); context.quadraticCurveTo(-180, 430, -80, 400); context.lineTo(80, 400);
    context.quadraticCurveTo(180, 430, 170, 720);
    context.fill();
    context.fillStyle = "#c9493d"; // the scarf
    context.beginPath();
    context.ellipse(0, 398, 84, 30, 0, 0, 7);
    context.fill();
    context.fillStyle = night ? "#c99f86" : "#e8bfa0"; // the face
    context.beginPath();
    context.ellipse(0, 290, 84, 104, 0, 0, 7);
    context.fill();
    context.fillStyle = night ? "#2d2430" : "#4a3428"; // the hair
    context.beginPath();
    context.ellipse(0, 230, 96, 76, 0, Math.PI, 0);
    context.quadraticCurveTo(60, 240, 0, 214); context.quadraticCurveTo(-60, 240, -96, 230);
    context.fill();
    context.fillStyle = "#2a2220";
    const open = at % 60 < 3 ? 2 : 10;
    for (const x of [-32, 32]) { context.beginPath(); context.ellipse(x, 284, 8, open, 0, 0, 7); context.fill(); }
    context.strokeStyle = "#9b4a3c"; context.lineWidth = 6; context.lineCap = "round";
    context.beginPath(); context.arc(0, 322, 30, 0.35, Math.PI - 0.35); context.stroke();
    context.fillStyle = "#a9743f"; // a parcel
    context.fillRect(-130, 500, 210, 150);
    context.fillStyle = "#e9d5a6"; context.fillRect(-45, 500, 34, 150);
    context.restore();
  }

  const draw = () => { frame += 1; scene(pen, frame, false); };
  draw();
  const video = shown.captureStream(15).getVideoTracks()[0];
  let sound = null;
  const tone = () => {
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    const out = context.createMediaStreamDestination();
    oscillator.frequency.value = 440;
    oscillator.connect(out);
    oscillator.start();
    return out.stream.getAudioTracks()[0];
  };
  const timer = setInterval(draw, 66);

  const door = {
    log: [], calls: [], heard: 0, agent: null, lines: new Map(),
    picture: (night) => {
      const small = document.createElement("canvas");
      Object.assign(small, { width: 640, height: 360 });
      const context = small.getContext("2d");
      context.scale(0.5, 0.5);
      scene(context, night ? 20 : 50, night);
      return small.toDataURL("image/jpeg", 0.82).split(",")[1];
    },
    line: (id) => {
      if (!door.lines.has(id)) {
        const agent = new Agent({ send: (text) => window.doorSends(id, text), host: `${id}.home.arpa`, user: "door" });
        agent.on("invite", (call) => door.answer(call));
        door.lines.set(id, agent);
      }
      return door.lines.get(id);
    },
    received: (id, text) => door.line(id).received(text),
    media: () => {
      const pc = new RTCPeerConnection();
      pc.ontrack = ({ track }) => { door.log.push(`track ${track.kind}`); };
      return pc;
    },
    whole: (pc) => new Promise((resolve) => {
      const look = () => { if (pc.iceGatheringState === "complete") resolve(pc.localDescription.sdp); };
      pc.addEventListener("icegatheringstatechange", look);
      look();
    }),
    ring: async (id, press) => {
      const pc = door.media();
      sound ??= tone();
      pc.addTransceiver(sound, { direction: "sendrecv" });
      pc.addTransceiver(video, { direction: "sendonly" });
      await pc.setLocalDescription(await pc.createOffer());
      const sdp = await door.whole(pc);
      const call = door.line(id).invite(`sip:phone@${phone}.home.arpa`, sdp, [["Meshdoor-Press", press]]);
      const entry = { id, press, pc, call, states: [] };
      door.calls.push(entry);
      let answered = false;
      const take = async (body) => {
        if (!body || answered) return;
        answered = true;
        await pc.setRemoteDescription({ type: "answer", sdp: body });
      };
      call.on("progress", ({ status, body }) => { entry.states.push(status); take(body); });
      call.on("answered", ({ body }) => { entry.states.push(200); take(body); });
      call.on("ended", ({ why, status }) => { entry.states.push(`${why} ${status}`); pc.close(); });
      return door.calls.length - 1;
    },
    cancel: (number, elsewhere) => {
      const { call } = door.calls[number];
      if (elsewhere) {
        // The user agent of the page gives no reasons; a door does.
        const { agent } = call;
        const begin = agent.begin.bind(agent);
        agent.begin = (request, user) => {
          agent.begin = begin;
          const headers = [...request.headers, ["Reason", 'SIP;cause=200;text="Call completed elsewhere"']];
          return begin(new request.constructor(request.method, request.uri, headers), user);
        };
      }
      call.hangup();
    },
    answer: async (call) => {
      const pc = door.media();
      const entry = { pc, call, states: [] };
      door.calls.push(entry);
      const answer = async (body) => {
        await pc.setRemoteDescription({ type: "offer", sdp: body });
        for (const transceiver of pc.getTransceivers()) {
          const { kind } = transceiver.receiver.track;
          sound ??= tone();
          await transceiver.sender.replaceTrack(kind === "video" ? video : sound);
          transceiver.direction = kind === "video" ? "sendonly" : "sendrecv";
        }
        await pc.setLocalDescription(await pc.createAnswer());
        return door.whole(pc);
      };
      call.onOffer = async (body) => { entry.states.push("offer"); return answer(body); };
      call.on("ended", ({ why }) => { entry.states.push(why); pc.close(); });
      call.accept(await answer(call.request.body));
      entry.states.push("answered");
    },
    /** Packets of sound that came in a call. */
    sound: async (number) => {
      const stats = [...(await door.calls[number].pc.getStats()).values()];
      return stats.filter(({ type, kind }) => type === "inbound-rtp" && kind === "audio").reduce((sum, each) => sum + each.packetsReceived, 0);
    },
    states: (number) => door.calls[number].states,
    stop: () => clearInterval(timer),
  };
  window.door = door;
}
