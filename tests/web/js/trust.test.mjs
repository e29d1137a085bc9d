import assert from "node:assert/strict";
import { test } from "node:test";

import { prove } from "../../../meshdoor/web/page/trust/attach.js";
import { fromBase64url, fromHex, toHex } from "../../../meshdoor/web/page/trust/bytes.js";
import { GrantError, openLock, sealed } from "../../../meshdoor/web/page/trust/grants.js";
import { compress, deviceId, makeKey, verifyEd25519 } from "../../../meshdoor/web/page/trust/keys.js";
import { PairingError, isGenuine, makeRequest, pair, readFragment } from "../../../meshdoor/web/page/trust/pairing.js";
import { importKey, vectors } from "./vectors.mjs";

const keys = vectors("keys").keys;
const invitations = vectors("invitation");
const invitation = readFragment(new URL(invitations.url).hash);

const P256 = { name: "ECDSA", namedCurve: "P-256" };

function uncompressed({ x, y }) {
  return Uint8Array.from([4, ...fromBase64url(x), ...fromBase64url(y)]);
}

async function verifies(entry, signature, data) {
  if (entry.type === "Ed25519") return verifyEd25519(fromHex(entry.key), fromHex(signature), data);
  const key = await crypto.subtle.importKey("raw", uncompressed(entry.jwk), P256, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, fromHex(signature), data);
}

test("a key that is made cannot be taken out", async () => {
  const key = await makeKey();
  assert.equal(key.publicKey.length, 32);
  assert.equal(key.privateKey.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("pkcs8", key.privateKey));
});

test("without Ed25519 it is one of P-256, as a compressed point", async () => {
  const old = {
    generateKey: async (algorithm, ...rest) => {
      if (algorithm.name === "Ed25519") throw new DOMException("unknown", "NotSupportedError");
      return crypto.subtle.generateKey(algorithm, ...rest);
    },
    exportKey: (...args) => crypto.subtle.exportKey(...args),
  };
  const key = await makeKey(old);
  assert.equal(key.publicKey.length, 33);
  assert.ok([2, 3].includes(key.publicKey[0]));
  assert.equal((await key.sign(new Uint8Array(3))).length, 64);
});

test("points are compressed and ids are made as by the node", async () => {
  for (const entry of keys) {
    if (entry.type === "P-256") assert.equal(toHex(compress(uncompressed(entry.jwk))), entry.key);
    assert.equal(await deviceId(fromHex(entry.key)), entry.device_id);
  }
});

test("the fragment of the code", () => {
  assert.equal(toHex(invitation.token), invitations.token);
  assert.equal(toHex(invitation.fingerprint), invitations.fingerprint);
  assert.equal(invitation.homeName, invitations.home_name);
  assert.equal(readFragment("#/history"), null);
  assert.equal(readFragment(""), null);
});

for (const damaged of ["#pair=abc&f=abc&n=x", "#pair=ICEiIyQlJicoKSorLC0uLw", "#pair=***&f=y", "#pair=abcde&f=x"]) {
  test(`a damaged code: ${damaged}`, () => {
    assert.throws(() => readFragment(damaged), (error) => error instanceof PairingError && error.code === "unread");
  });
}

test("what is posted, and what is believed", async () => {
  for (const { key, request, reply } of invitations.cases) {
    assert.deepEqual(await makeRequest(invitation, fromHex(key)), request);
    assert.ok(await isGenuine(reply, invitation, fromHex(key)));
    assert.ok(!(await isGenuine({ ...reply, home: "00".repeat(32) }, invitation, fromHex(key))));
    assert.ok(!(await isGenuine({ ...reply, home: "zz" }, invitation, fromHex(key))));
  }
});

test("pairing gives the answer, or says why not", async () => {
  const { key, reply } = invitations.cases[0];
  assert.equal(await pair(invitation, fromHex(key), async () => reply), reply);
  const refused = async () => ({ error: invitations.errors.late });
  await assert.rejects(pair(invitation, fromHex(key), refused), { code: "late" });
  const forged = async () => ({ ...reply, proof: "00".repeat(32) });
  await assert.rejects(pair(invitation, fromHex(key), forged), { code: "impostor" });
  const away = async () => { throw new TypeError("network"); };
  await assert.rejects(pair(invitation, fromHex(key), away), { code: "unreachable" });
});

test("attaching signs the challenge, the fingerprint and the purpose", async () => {
  const { challenge, fingerprint, proofs } = vectors("attach");
  for (const proof of proofs) {
    const entry = keys.find(({ key }) => key === proof.answer.key);
    const answer = await prove(await importKey(entry), challenge, fromHex(fingerprint), proof.purpose);
    assert.equal(answer.key, entry.key);
    assert.ok(await verifies(entry, answer.signature, fromHex(proof.signed)));
    if (entry.type === "Ed25519") assert.equal(answer.signature, proof.answer.signature);
  }
  await assert.rejects(prove(await importKey(keys[0]), "00", fromHex(fingerprint), "sip"), RangeError);
});

const grants = vectors("phone_grants").notes;

/** A lock that says what the vectors have. */
function lockOf(vector, sent = [], answers = [vector.challenge, vector.receipt]) {
  const queue = [...answers];
  return async (note) => {
    sent.push(note);
    return { note: queue.shift(), lock: vector.lock };
  };
}

const openerOf = async (vector, index) => ({ key: await importKey(keys[index]), home: vector.home, person: vector.person });
const draw = () => fromHex("000102030405060708090a0b0c0d0e0f");

test("a lock is opened with the notes that the node knows", async () => {
  for (const [index, vector] of grants.entries()) {
    const sent = [];
    const receipt = await openLock(await openerOf(vector, index), lockOf(vector, sent), draw);
    assert.deepEqual(sent[0], vector.ask);
    assert.equal(receipt.isOpen, true);
    if (vector.type === "Ed25519") assert.deepEqual(sent[1], vector.grant);
  }
});

test("what is signed has the fields in the order of the wire form", async () => {
  const vector = grants[0];
  const grant = {
    home: vector.home, lock: vector.lock, nonce: vector.challenge.nonce,
    opener: vector.ask.opener, person: vector.person, within: vector.challenge.within,
  };
  assert.equal(await sealed(await importKey(keys[0]), grant), vector.grant.grant);
});

test("an answer of another run, lock or signer is refused", async () => {
  const [vector] = grants;
  const who = await openerOf(vector, 0);
  const wrong = [
    [{ ...vector.challenge, ask: "ff".repeat(16) }],
    [vector.challenge, { ...vector.receipt, ask: "ff".repeat(16) }],
    [vector.challenge, { ...vector.receipt, receipt: "AAAA" }],
    [vector.challenge, grants[1].receipt],
    [vector.receipt], // for a nonce that was never given
    [{}],
  ];
  for (const answers of wrong) {
    await assert.rejects(openLock(who, lockOf(vector, [], answers), draw), GrantError);
  }
  const other = async (note) => ({ ...(await lockOf(vector)(note)), lock: keys[0].key });
  await assert.rejects(openLock(who, other, draw), GrantError);
  const flipped = vector.receipt.receipt.replace(/^./, (char) => (char === "A" ? "B" : "A"));
  const forged = lockOf(vector, [], [vector.challenge, { ...vector.receipt, receipt: flipped }]);
  await assert.rejects(openLock(who, forged, draw), /signature/);
});
