// Words in the language of the person: plain tables, `{name}` filled in, plurals by the rules of the language.

import de from "./de.js";
import en from "./en.js";
import fr from "./fr.js";

export const TABLES = { en, de, fr };
export const NAMES = { en: "English", de: "Deutsch", fr: "Français" };

let language = "en";
let locale = "en"; // with the region of the person: it says how times are written
let plural = new Intl.PluralRules("en");

/** Take the first of these that we speak. */
export function choose(wanted) {
  language = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TABLES) ?? "en";
  const regions = [...wanted, ...(globalThis.navigator?.languages ?? [])];
  locale = regions.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;
  plural = new Intl.PluralRules(language);
  return language;
}

/** For dates and times. */
export function current() {
  return locale;
}

/** The text of a key. Throws for a key that is in no table: that is a fault of ours. */
export function t(key, values = {}) {
  const entry = TABLES[language][key] ?? TABLES.en[key];
  if (entry === undefined) throw new RangeError(`no text for ${key}`);
  const text = typeof entry === "string" ? entry : entry[plural.select(values.n)] ?? entry.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The text of a key if there is one, else of the other key. */
export function tOr(key, otherwise, values) {
  return t(key in TABLES.en ? key : otherwise, values);
}

export function clock(milliseconds) {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(milliseconds);
}

export function date(milliseconds) {
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" }).format(milliseconds);
}

/** "Today", "Yesterday", or the date of a day. */
export function day(milliseconds, now = Date.now()) {
  const days = Math.round((midnight(now) - midnight(milliseconds)) / 86_400_000);
  if (days === 0) return t("day.today");
  if (days === 1) return t("day.yesterday");
  return new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" }).format(milliseconds);
}

function midnight(milliseconds) {
  return new Date(milliseconds).setHours(0, 0, 0, 0);
}
