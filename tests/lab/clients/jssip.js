// JsSIP as a card would use it: `client`, with the same methods as the one of SIP.js.
(() => {
  const client = { said: [], line: "off", call: "none", why: "" };
  window.client = client;
  const say = (...words) => client.said.push(words.join(" "));
  const video = document.querySelector("video");
  let ua, session;

  const followed = (fresh) => {
    session = fresh;
    client.call = fresh.direction === "incoming" ? "ringing" : "calling";
    client.why = "";
    const show = (connection) => connection.addEventListener("track", ({ streams }) => { video.srcObject = streams[0]; });
    if (fresh.connection) show(fresh.connection);
    else fresh.on("peerconnection", ({ peerconnection }) => show(peerconnection));
    fresh.on("confirmed", () => { client.call = "talking"; });
    fresh.on("hold", () => say("hold"));
    for (const end of ["failed", "ended"]) {
      fresh.on(end, ({ originator, cause, message }) => {
        client.call = "over";
        client.why = `${originator}: ${message?.status_code ?? ""} ${cause}`;
        client.reason = message?.getHeader?.("Reason") ?? "";
        video.srcObject = null;
        say(end, client.why);
      });
    }
  };

  client.start = ({ server, user, domain, secret }, register = true) => {
    ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(server)],
      uri: `sip:${user}@${domain}`,
      password: secret,
      register,
    });
    ua.on("connected", () => { client.line = "connected"; });
    ua.on("disconnected", ({ code, reason }) => { client.line = "off"; say("disconnected", code, reason); });
    ua.on("registered", () => { client.line = "registered"; say("registered"); });
    ua.on("unregistered", () => { client.line = "unregistered"; });
    ua.on("registrationFailed", ({ response, cause }) => {
      client.line = `refused ${response?.status_code ?? ""}`;
      say("registration failed", cause);
    });
    ua.on("newRTCSession", ({ session: fresh }) => followed(fresh));
    ua.on("newMessage", ({ originator, request }) => { if (originator === "remote") client.wrote = request.body; });
    ua.start();
  };
  client.answer = () => session.answer({ mediaConstraints: { audio: true, video: false } });
  client.decline = () => session.terminate({ status_code: 603 });
  client.hangup = () => session.terminate();
  client.hold = () => new Promise((done) => { session.hold({}, done); });
  client.unhold = () => new Promise((done) => { session.unhold({}, done); });
  client.type = (digits) => session.sendDTMF(digits, { duration: 100, interToneGap: 100 });  // as INFO
  client.write = (uri, text) => { ua.sendMessage(uri, text); };
  client.register = () => ua.register();
  client.look = (uri) => ua.call(uri, {
    mediaConstraints: { audio: true, video: false },
    rtcOfferConstraints: { offerToReceiveAudio: true, offerToReceiveVideo: true },
  });
  client.stop = () => ua.stop();
})();
