// The microphone, which is captured when a person talks and at no other time.

const WANTED = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true }, video: false };

/** Why there is no sound of ours: "denied" by the person or the browser, "absent", or "failed". */
export class MicrophoneError extends Error {
  constructor(why) {
    super(why);
    this.why = why;
  }
}

/** A promise of a live track. Throws MicrophoneError. */
export async function capture() {
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("absent");
  try {
    const stream = await navigator.mediaDevices.getUserMedia(WANTED);
    return stream.getAudioTracks()[0];
  } catch ({ name }) {
    throw new MicrophoneError({ NotAllowedError: "denied", NotFoundError: "absent" }[name] ?? "failed");
  }
}

/** Ask for the right to use it, at a moment when nobody waits. Gives a promise of "granted", or why not. */
export async function askForMicrophone() {
  try {
    (await capture()).stop();
    return "granted";
  } catch (error) {
    return error.why;
  }
}

/** "granted", "denied", "prompt"; "prompt" too where the browser does not tell. */
export async function microphoneState() {
  try {
    return (await navigator.permissions.query({ name: "microphone" })).state;
  } catch {
    return "prompt";
  }
}
