// What this browser remembers besides the key: nothing secret.

const NAME = "meshdoor settings";
const DEFAULTS = { language: "", theme: "", wall: false, unlock: "" };

export function load() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export function save(settings) {
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    return; // a private window: they last as long as the page
  }
}
