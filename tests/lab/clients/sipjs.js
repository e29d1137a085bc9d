// SIP.js as a card would use it: `client`, with the same methods as the one of JsSIP.
(() => {
  const client = { said: [], line: "off", call: "none", why: "" };
  window.client = client;
  const say = (...words) => client.said.push(words.join(" "));
  const video = document.querySelector("video");
  const silent = { constraints: { audio: false, video: false } };
  const speaking = { constraints: { audio: true, video: false } };
  let agent, registerer, session;

  const shown = () => { video.srcObject = session.sessionDescriptionHandler.remoteMediaStream; };
  const followed = (fresh, state) => {
    session = fresh;
    client.call = state;
    client.why = "";
    fresh.stateChange.addListener((now) => {
      say("session", now);
      if (now === SIP.SessionState.Established) {
        client.call = "talking";
        shown();
      } else if (now === SIP.SessionState.Terminated) {
        client.call = "over";
        video.srcObject = null;
      }
    });
  };

  client.start = async ({ server, user, domain, secret }, register = true) => {
    agent = new SIP.UserAgent({
      uri: SIP.UserAgent.makeURI(`sip:${user}@${domain}`),
      transportOptions: { server },
      authorizationUsername: user,
      authorizationPassword: secret,
      reconnectionAttempts: 20,
      reconnectionDelay: 1,
      logBuiltinEnabled: false,
      logConnector: (level, category, label, text) => { if (level === "error") say(category, text); },
      delegate: {
        onConnect: () => {
          client.line = "connected";
          if (register) client.register();
        },
        onDisconnect: (error) => { client.line = "off"; say("disconnected", error ?? ""); },
        onMessage: async (message) => {
          await message.accept();
          client.wrote = message.request.body;
        },
        onInvite: (invitation) => {
          followed(invitation, "ringing");
          invitation.delegate = {
            onCancel: (cancel) => { client.reason = cancel.request.getHeader("Reason") ?? ""; },
            onBye: () => { client.why = "remote: bye"; },
          };
        },
      },
    });
    registerer = new SIP.Registerer(agent);
    registerer.stateChange.addListener((state) => {
      say("registerer", state);
      if (state === SIP.RegistererState.Unregistered) client.line = "unregistered";
    });
    await agent.start();
  };
  // The picture before the answer, and no microphone yet: it is put where 183 has promised it.
  client.early = async () => {
    await session.progress({ statusCode: 183, sessionDescriptionHandlerOptions: silent });
    shown();
  };
  client.answer = async () => {
    const early = session.sessionDescriptionHandler?.peerConnection;
    await session.accept({ sessionDescriptionHandlerOptions: speaking });
    if (early) {
      const [voice] = (await navigator.mediaDevices.getUserMedia(speaking.constraints)).getAudioTracks();
      await early.getTransceivers().find(({ mid }) => mid === "0").sender.replaceTrack(voice);
    }
  };
  client.hold = () => again({ ...speaking, hold: true });
  client.unhold = () => again({ ...speaking, hold: false });
  const again = (options) => new Promise((done, refused) => session.invite({
    sessionDescriptionHandlerOptions: options,
    requestDelegate: { onAccept: () => done(), onReject: ({ message }) => refused(message.statusCode) },
  }).catch(refused));
  client.decline = () => session.reject({ statusCode: 603 });
  client.hangup = () => session.state === SIP.SessionState.Established ? session.bye() : session.cancel();
  client.type = async (digits) => {  // with the sound
    for (const digit of digits) {
      session.sessionDescriptionHandler.sendDtmf(digit, { duration: 100, interToneGap: 100 });
      await new Promise((done) => { setTimeout(done, 300); });
    }
  };
  client.write = (uri, text) => new SIP.Messager(agent, SIP.UserAgent.makeURI(uri), text).message();
  client.register = () => registerer.register({
    requestDelegate: {
      onAccept: () => { client.line = "registered"; },
      onReject: ({ message }) => { client.line = `refused ${message.statusCode}`; },
    },
  });
  client.look = async (uri) => {
    const inviter = new SIP.Inviter(agent, SIP.UserAgent.makeURI(uri), {
      sessionDescriptionHandlerOptions: { ...speaking, offerOptions: { offerToReceiveVideo: true } },
    });
    followed(inviter, "calling");
    await inviter.invite({ requestDelegate: {
      onReject: ({ message }) => { client.why = `remote: ${message.statusCode}`; },
    } });
  };
  client.stop = () => agent.stop();
})();
