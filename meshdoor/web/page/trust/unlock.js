// Asking for the phone's own unlock (fingerprint, face, code) before a door is opened, by WebAuthn. It guards against
// other people's hands; the lock goes by the phone's key alone. Browsers have it only for a host with a name.

import { fromBase64, random, toBase64 } from "./bytes.js";

const PATIENCE = 30_000; // ms

export async function canUnlock() {
  const hasName = !/^[\d.]+$|:/.test(location.hostname.replace(/[[\]]/g, ""));
  if (!hasName || !globalThis.PublicKeyCredential) return false;
  return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable();
}

/** Make a credential: gives what `unlock` needs. Throws where the person or the phone refuses. */
export async function prepareUnlock(name) {
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: random(32),
      rp: { name: "Meshdoor" },
      user: { id: random(16), name, displayName: name },
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -257 }],
      authenticatorSelection: { authenticatorAttachment: "platform", userVerification: "required" },
      timeout: PATIENCE,
    },
  });
  return toBase64(new Uint8Array(credential.rawId));
}

/** Ask now; gives a promise of whether the person unlocked. */
export async function unlock(credential) {
  try {
    await navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        allowCredentials: [{ type: "public-key", id: fromBase64(credential) }],
        userVerification: "required",
        timeout: PATIENCE,
      },
    });
    return true;
  } catch {
    return false;
  }
}
