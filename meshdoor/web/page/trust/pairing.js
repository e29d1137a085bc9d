// Becoming a member: the wire form is that of meshdoor/trust/invitation.py.

import { concat, fromBase64url, fromHex, sha256, toHex } from "./bytes.js";

/** Why it did not work. `code` is one of the server's (used, late, unknown, fingerprint, wrong, closed), or
 * "unread" (the link in the code is damaged), "unreachable" (no answer), "impostor" (an answer that proves nothing). */
export class PairingError extends Error {
  constructor(code, text = "") {
    super(text || code);
    this.code = code;
  }
}

/** What the code says: {token, fingerprint, homeName}; null if the fragment is of something else. */
export function readFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, "").replaceAll("+", "%2B"));
  if (!fields.has("pair")) return null;
  try {
    return {
      token: fromBase64url(fields.get("pair"), 16),
      fingerprint: fromBase64url(fields.get("f") ?? "", 32),
      homeName: (fields.get("n") ?? "").slice(0, 64),
    };
  } catch {
    throw new PairingError("unread");
  }
}

async function hmac(token, ...parts) {
  const key = await crypto.subtle.importKey("raw", token, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, concat(...parts))));
}

/** What is posted to /pair. */
export async function makeRequest(invitation, publicKey) {
  const id = await sha256("meshdoor invitation id v1\0", invitation.token);
  return {
    invitation: toHex(id.slice(0, 16)),
    key: toHex(publicKey),
    proof: await hmac(invitation.token, "meshdoor phone v1\0", publicKey, invitation.fingerprint),
  };
}

/** Does the answer come from who knows the token too? */
export async function isGenuine(reply, invitation, publicKey) {
  let home;
  try {
    home = fromHex(reply.home, 32);
  } catch {
    return false;
  }
  const parts = ["meshdoor phone reply v1\0", publicKey, invitation.fingerprint, home];
  return (await hmac(invitation.token, ...parts)) === reply.proof;
}

/** Ask to be let in: the answer of the node. Throws PairingError. */
export async function pair(invitation, publicKey, post = postJson) {
  const request = await makeRequest(invitation, publicKey);
  let answer;
  try {
    answer = await post("/pair", request);
  } catch {
    throw new PairingError("unreachable");
  }
  if (answer.error) throw new PairingError(String(answer.error.code), String(answer.error.text ?? ""));
  if (!(await isGenuine(answer, invitation, publicKey))) throw new PairingError("impostor");
  return answer;
}

async function postJson(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(15000),
  });
  return response.json();
}
