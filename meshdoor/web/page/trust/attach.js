// Proving to a node who we are, on each WebSocket: the wire form is that of meshdoor/trust/attach.py.

import { concat, fromHex, toHex } from "./bytes.js";

/** The answer to the challenge of a node; `purpose` is "sip" or "home". Throws RangeError for what is no challenge. */
export async function prove(key, challenge, fingerprint, purpose) {
  const data = concat("meshdoor attach v1\0", fromHex(challenge, 32), fingerprint, purpose);
  return { key: key.hex, signature: toHex(await key.sign(data)) };
}
