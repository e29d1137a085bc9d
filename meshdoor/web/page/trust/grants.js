// Opening a lock with the phone's own key: the wire form is that of meshdoor/trust/grants.py.

import { concat, fromBase64, random, toBase64, toHex, utf8 } from "./bytes.js";
import { verifyEd25519 } from "./keys.js";

const SIGNATURE = 64; // bytes
const NO_NONCE = "0".repeat(32);
const OPEN = new Set(["opened", "already open"]);

/** The lock, or who speaks for it, said something that is no answer to this run. */
export class GrantError extends Error {}

const note = (step, fields) => ({ about: "grant", step, ...fields });

/**
 * Open a lock: `exchange(note)` gives a promise of {note, lock}: the note that comes back, and the lock's key.
 * `who` is {key, home, person}: our key, the id of the home in hexadecimal, the name of this phone.
 * Gives a promise of the body of the receipt, and of whether it says that the door can be opened now.
 */
export async function openLock(who, exchange, draw = random) {
  const ask = toHex(draw(16));
  let answer = await exchange(note("ask", { ask, opener: who.key.hex }));
  let nonce = NO_NONCE;
  const { lock } = answer;
  if (answer.note?.step === "challenge" && answer.note.ask === ask) {
    ({ nonce } = answer.note);
    const grant = { home: who.home, lock, nonce, opener: who.key.hex, person: who.person, within: answer.note.within };
    answer = await exchange(note("grant", { ask, grant: await sealed(who.key, grant) }));
  }
  if (answer.note?.step !== "receipt" || answer.note.ask !== ask) throw new GrantError("the lock answered something else");
  const receipt = await readReceipt(answer.note.receipt, lock);
  const { home, opener } = receipt;
  if (home !== who.home || receipt.lock !== lock || receipt.nonce !== nonce || opener !== who.key.hex) {
    throw new GrantError("the receipt is of another lock or another grant");
  }
  const isOpen = OPEN.has(receipt.result);
  if (isOpen && nonce === NO_NONCE) throw new GrantError("a receipt for a grant that was never given");
  return { ...receipt, isOpen };
}

/** Signature and body, in base64. */
export async function sealed(key, grant) {
  const body = utf8(JSON.stringify(grant));
  const signature = await key.sign(concat("meshdoor grant v1\0", body));
  return toBase64(concat(signature, body));
}

async function readReceipt(carried, lock) {
  let bytes;
  let receipt;
  try {
    bytes = fromBase64(carried);
    receipt = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice(SIGNATURE)));
  } catch {
    throw new GrantError("a receipt that cannot be read");
  }
  const data = concat("meshdoor receipt v1\0", bytes.slice(SIGNATURE));
  const key = Uint8Array.from(lock.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  if ((await verifyEd25519(key, bytes.slice(0, SIGNATURE), data)) === false) {
    throw new GrantError("the signature of the receipt is not of the lock");
  }
  return receipt;
}
