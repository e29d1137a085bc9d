// What a test wants to know of a page: `window.lab`. Times are ms since 1970.
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const lab = { microphone: [], pictures: [], sound: [] };
  window.lab = lab;
  if (navigator.mediaDevices) {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => {
      lab.microphone.push(now());
      return ask(wanted);
    };
  }
  const seen = new WeakMap();
  const watch = (video) => {
    if (!video.srcObject || seen.get(video) === video.srcObject) return;
    seen.set(video, video.srcObject);
    video.requestVideoFrameCallback((_, { width, height }) => lab.pictures.push({ at: now(), width, height }));
  };
  const look = () => {
    document.querySelectorAll("video").forEach(watch);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);

  /** The picture that a video shows now, as a PNG in base64. */
  lab.picture = () => {
    const video = [...document.querySelectorAll("video")].find((each) => each.videoWidth);
    if (!video) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
  };

  /** The strongest frequency in what is heard, and how strong it is: [Hz, dB]. */
  lab.pitch = async () => {
    const element = [...document.querySelectorAll("video, audio")].find((each) => each.srcObject?.getAudioTracks().length);
    if (!element) return null;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream(element.srcObject.getAudioTracks())).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const powers = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(powers);
    const best = powers.reduce((top, power, at) => (power > powers[top] ? at : top), 0);
    const found = [best * context.sampleRate / analyser.fftSize, powers[best]];
    await context.close();
    return found;
  };
})();
