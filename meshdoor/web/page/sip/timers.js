// The timers of RFC 3261 table 4, in milliseconds. All of our transport is reliable.

export const T1 = 500;
export const T2 = 4000;
export const TIMEOUT = 64 * T1; // timers B, F, H and L

/** The clock of a browser. Tests have one that they move. */
export const CLOCK = {
  set: (callback, delay) => setTimeout(callback, delay),
  clear: (id) => clearTimeout(id),
};
