// The bell: two soft notes, made here, so that nothing has to be loaded when somebody rings.

const NOTES = [659.25, 523.25]; // E5, C5
const EVERY = 2800; // ms
const SHAKE = [350, 180, 350];

export class Bell {
  #context = null;
  #timer = null;

  /** May it sound? A browser wants a touch of the page first. */
  get ready() {
    return this.#context?.state === "running";
  }

  /** Call this in a touch of the page. Gives a promise of whether it may sound now. */
  async unlock() {
    this.#context ??= globalThis.AudioContext ? new AudioContext() : null;
    if (this.#context && this.#context.state !== "running") {
      await Promise.race([this.#context.resume().catch(() => {}), new Promise((done) => setTimeout(done, 300))]);
    }
    return this.ready;
  }

  start() {
    if (this.#timer !== null) return;
    const ring = () => {
      this.chime();
      navigator.vibrate?.(SHAKE);
    };
    this.#timer = setInterval(ring, EVERY);
    this.unlock().then(() => { if (this.#timer !== null) ring(); });
  }

  stop() {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    navigator.vibrate?.(0);
  }

  /** Once. */
  chime(volume = 0.35) {
    if (!this.ready) return;
    const start = this.#context.currentTime + 0.02;
    NOTES.forEach((frequency, index) => this.#note(frequency, start + index * 0.55, volume));
  }

  #note(frequency, at, volume) {
    const gain = this.#context.createGain();
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(volume, at + 0.015);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 1.4);
    gain.connect(this.#context.destination);
    for (const [overtone, share] of [[1, 1], [2, 0.25], [3, 0.08]]) {
      const tone = this.#context.createOscillator();
      const level = this.#context.createGain();
      tone.frequency.value = frequency * overtone;
      level.gain.value = share;
      tone.connect(level).connect(gain);
      tone.start(at);
      tone.stop(at + 1.5);
    }
  }
}
