// The key of this phone: Ed25519, or ECDSA P-256 where the browser knows no Ed25519. It cannot be taken out of the
// browser: what is kept is a CryptoKey that signs and is not extractable.

import { sha256, toHex } from "./bytes.js";

const ED25519 = { name: "Ed25519" };
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const SIGN = { Ed25519: ED25519, ECDSA: { name: "ECDSA", hash: "SHA-256" } };

/** The private half as a CryptoKey, and the public key as Meshdoor writes it (32 bytes, or 33 of a P-256 point). */
export class Key {
  constructor(privateKey, publicKey) {
    this.privateKey = privateKey;
    this.publicKey = publicKey;
  }

  get hex() {
    return toHex(this.publicKey);
  }

  /** A signature of 64 bytes. */
  async sign(data) {
    const algorithm = SIGN[this.privateKey.algorithm.name];
    return new Uint8Array(await crypto.subtle.sign(algorithm, this.privateKey, data));
  }
}

/** Make a new one. */
export async function makeKey(subtle = crypto.subtle) {
  const pair = await generate(subtle);
  const raw = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  return new Key(pair.privateKey, raw.length === 65 ? compress(raw) : raw);
}

async function generate(subtle) {
  try {
    return await subtle.generateKey(ED25519, false, ["sign", "verify"]);
  } catch {
    return subtle.generateKey(P256, false, ["sign", "verify"]);
  }
}

/** SEC 1 §2.3.3: the point as 02 or 03, by whether y is even, and x. */
export function compress(point) {
  const compressed = point.slice(0, 33);
  compressed[0] = 2 + (point[64] & 1);
  return compressed;
}

/** 80 bits of SHA-256 of the public key in base32: `abcd-efgh-ijkl-mnop`. */
export async function deviceId(publicKey) {
  const digest = await sha256(publicKey);
  const bits = Array.from(digest.slice(0, 10), (byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{5}/g).map((five) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(five, 2)]);
  return letters.join("").match(/.{4}/g).join("-");
}

/** Did the holder of this Ed25519 key sign it? Undefined where the browser knows no Ed25519. */
export async function verifyEd25519(publicKey, signature, data) {
  let key;
  try {
    key = await crypto.subtle.importKey("raw", publicKey, ED25519, false, ["verify"]);
  } catch {
    return undefined;
  }
  return crypto.subtle.verify(ED25519, key, signature, data);
}
