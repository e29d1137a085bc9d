import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { TABLES, choose, day, t } from "../../../meshdoor/web/page/i18n/i18n.js";

const PAGE = new URL("../../../meshdoor/web/page/", import.meta.url);
const placeholders = (entry) => [...JSON.stringify(entry).matchAll(/\{(\w+)\}/g)].map(([, name]) => name);

function scripts(folder = PAGE) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === "i18n" ? [] : scripts(new URL(`${entry.name}/`, folder));
    return entry.name.endsWith(".js") ? [readFileSync(new URL(entry.name, folder), "utf8")] : [];
  });
}

for (const [language, table] of Object.entries(TABLES)) {
  test(`${language} says everything, with the same values`, () => {
    assert.deepEqual(Object.keys(table).sort(), Object.keys(TABLES.en).sort());
    for (const [key, entry] of Object.entries(table)) {
      assert.deepEqual(new Set(placeholders(entry)), new Set(placeholders(TABLES.en[key])), key);
      assert.equal(typeof entry, typeof TABLES.en[key], key);
    }
  });
}

test("every key that a script names is in the tables", () => {
  const used = scripts().flatMap((text) => [...text.matchAll(/\bt(?:Or)?\("([^"]+)"/g)].map(([, key]) => key));
  assert.ok(used.length > 50);
  assert.deepEqual(used.filter((key) => !(key in TABLES.en)), []);
});

test("the first language that we speak is taken", () => {
  assert.equal(choose(["pt-BR", "fr-CA", "de"]), "fr");
  assert.equal(choose(["xx"]), "en");
});

test("values and plurals", () => {
  choose(["de"]);
  assert.equal(t("nav.missed", { n: 1 }), "1 verpasster Besuch");
  assert.equal(t("nav.missed", { n: 3 }), "3 verpasste Besuche");
  assert.equal(t("ring.at", { door: "Garten" }), "Besuch: Garten");
  assert.equal(t("ring.at"), "Besuch: {door}");
  assert.throws(() => t("no.such.key"), RangeError);
});

test("days", () => {
  choose(["en"]);
  const noon = new Date(2026, 5, 10, 12).getTime();
  assert.equal(day(noon - 3_600_000, noon), "Today");
  assert.equal(day(noon - 86_400_000, noon), "Yesterday");
  assert.equal(day(noon - 3 * 86_400_000, noon), "Sunday, June 7");
});
