// The vectors that the Python of the node is tested with.
import { readFileSync } from "node:fs";

export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../../data/trust/${name}.json`, import.meta.url), "utf8"));
}

/** A key of keys.json. */
export async function importKey({ type, jwk, key }) {
  const { Key } = await import("../../../meshdoor/web/page/trust/keys.js");
  const { fromHex } = await import("../../../meshdoor/web/page/trust/bytes.js");
  const algorithm = type === "Ed25519" ? { name: "Ed25519" } : { name: "ECDSA", namedCurve: "P-256" };
  return new Key(await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]), fromHex(key));
}
