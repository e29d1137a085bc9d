import assert from "node:assert/strict";
import { test } from "node:test";

import { Line } from "../../../meshdoor/web/page/net/line.js";
import { makeKey } from "../../../meshdoor/web/page/trust/keys.js";
import { FakeClock } from "./sip-fakes.mjs";

const CHALLENGE = JSON.stringify({ challenge: "ab".repeat(32), home: "00", node: "Hall" });

class FakeSocket {
  sent = [];
  closed = false;

  constructor(path, protocol) {
    Object.assign(this, { path, protocol });
  }

  send(text) { this.sent.push(text); }
  close() { this.closed = true; }
  take() { return this.sent.splice(0); }
  tell(document) { this.onmessage({ data: typeof document === "string" ? document : JSON.stringify(document) }); }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

async function begun() {
  const clock = new FakeClock();
  const sockets = [];
  const membership = { key: await makeKey(), fingerprint: new Uint8Array(32) };
  const line = new Line(membership, (path, protocol) => {
    sockets.push(new FakeSocket(path, protocol));
    return sockets.at(-1);
  }, clock);
  const states = [];
  line.on("state", (state) => states.push(state));
  line.start();
  return { line, clock, sockets, states };
}

async function attach(sockets) {
  for (const socket of sockets) {
    socket.onopen();
    socket.tell(CHALLENGE);
  }
  await settled();
  const proofs = sockets.flatMap((socket) => socket.take().map(JSON.parse));
  for (const socket of sockets) socket.tell({ attached: { name: "Alice", permissions: ["view"], ice_servers: [] } });
  return proofs;
}

async function attached() {
  const end = await begun();
  await attach(end.sockets);
  const [sip, home] = end.sockets;
  return { ...end, sip, home };
}

test("both sockets are proven, each for its own purpose", async () => {
  const { sockets, states, line } = await begun();
  assert.deepEqual(sockets.map(({ path, protocol }) => [path, protocol]), [["/phone", "sip"], ["/home", "meshdoor"]]);
  const [one, two] = await attach(sockets);
  assert.match(one.signature, /^[0-9a-f]{128}$/);
  assert.notEqual(one.signature, two.signature);
  assert.equal(one.key, two.key);
  assert.deepEqual(states, ["attached"]);
  assert.equal(line.me.name, "Alice");
});

test("SIP goes both ways, keep-alives do not show", async () => {
  const { line, sip } = await attached();
  const heard = [];
  line.on("sip", (text) => heard.push(text));
  line.sendSip("INVITE");
  assert.deepEqual(sip.take(), ["INVITE"]);
  sip.tell("\r\n");
  sip.tell("SIP/2.0 200 OK");
  assert.deepEqual(heard, ["SIP/2.0 200 OK"]);
});

test("questions and answers, side by side", async () => {
  const { line, home } = await attached();
  const asked = [line.ask("home"), line.ask("history", { limit: 2 })];
  const [one, two] = home.take().map(JSON.parse);
  assert.deepEqual(two, { id: 2, ask: "history", args: { limit: 2 } });
  home.tell({ id: two.id, error: { code: "refused", text: "no" } });
  home.tell({ id: one.id, answer: { home_name: "Home" } });
  home.tell({ id: 99, answer: 0 });
  assert.equal((await asked[0]).home_name, "Home");
  await assert.rejects(asked[1], { code: "refused", message: "no" });
});

test("only so many questions at once; the rest wait, and time out", async () => {
  const { line, sip, home, clock } = await attached();
  const asked = Array.from({ length: 8 }, () => line.ask("picture").catch(({ code }) => code));
  assert.equal(home.take().length, 6);
  home.tell({ id: 1, answer: "one" });
  assert.equal(home.take().length, 1);
  for (let i = 0; i < 5; i += 1) { clock.advance(2400); sip.tell("\r\n"); home.tell("\r\n"); }
  assert.deepEqual(await Promise.all(asked.slice(0, 2)), ["one", "late"]);
});

test("a person is waited for", async () => {
  const { line, sip, home, clock } = await attached();
  const asked = line.ask("hand_over", { call: "1", to: "hall" });
  const [{ id }] = home.take().map(JSON.parse);
  for (let i = 0; i < 10; i += 1) { clock.advance(2400); sip.tell("\r\n"); home.tell("\r\n"); }
  home.tell({ id, answer: { to: "Hall" } });
  assert.equal((await asked).to, "Hall");
});

test("what happens in the home", async () => {
  const { line, home } = await attached();
  const heard = [];
  line.on("event", (event) => heard.push(event));
  home.tell({ event: { event: "missed", id: "1" } });
  home.tell({ event: "joined", name: "Bob" });
  home.tell("not JSON");
  assert.deepEqual(heard.map(({ event }) => event), ["missed", "joined"]);
});

test("a lost socket takes the other with it, and both are made again", async () => {
  const { line, sip, home, sockets, states, clock } = await attached();
  const asked = line.ask("home");
  sip.onclose({ code: 1006 });
  await assert.rejects(asked, { code: "lost" });
  await assert.rejects(line.ask("home"), { code: "lost" });
  assert.ok(home.closed);
  clock.advance(100);
  assert.equal(sockets.length, 4);
  await attach(sockets.slice(2));
  assert.deepEqual(states, ["attached", "lost", "attached"]);
});

test("a network that is back is noticed within two seconds", async () => {
  const { sockets, clock } = await attached();
  sockets[0].onclose({ code: 1006 });
  for (let i = 0; i < 10; i += 1) {
    clock.advance(1999);
    const open = sockets.filter(({ closed }) => !closed);
    assert.ok(open.length > 0 || i > 0);
    for (const socket of open.slice(0, 1)) socket.onclose({ code: 1006 });
  }
  const before = sockets.length;
  clock.advance(1500);
  assert.ok(sockets.length > before);
});

test("the network says that it is back", async () => {
  const { line, sockets, clock } = await attached();
  for (let i = 0; i < 12; i += 2) {
    sockets[i].onclose({ code: 1006 });
    if (i < 10) clock.advance(1500);
  }
  const before = sockets.length;
  line.hurry();
  assert.equal(sockets.length, before + 2);
});

test("a node that says nothing any more is lost", async () => {
  const { sip, clock, states } = await attached();
  clock.advance(4000);
  assert.deepEqual(sip.take(), ["\r\n\r\n"]);
  clock.advance(2500);
  assert.equal(states.at(-1), "lost");
});

test("looking at once whether it is still there", async () => {
  const { line, sip, home } = await attached();
  line.hurry();
  assert.deepEqual([sip.take(), home.take()], [["\r\n\r\n"], ["\r\n\r\n"]]);
});

test("a socket that never opens is given up", async () => {
  const { clock, states, sockets } = await begun();
  clock.advance(2500);
  assert.deepEqual(states, ["lost"]);
  assert.ok(sockets.every(({ closed }) => closed));
});

for (const text of ["nonsense", "{}", '{"challenge":"00"}']) {
  test(`a challenge that is none: ${text}`, async () => {
    const { sockets, states } = await begun();
    sockets[0].onopen();
    sockets[0].tell(text);
    await settled();
    assert.deepEqual(states, ["lost"]);
  });
}

test("refused while it proves itself", async () => {
  const { sockets, line, states, clock } = await begun();
  sockets[0].onopen();
  sockets[0].tell(CHALLENGE);
  await settled();
  sockets[0].tell({ refused: { code: "expired", text: "over" } });
  assert.deepEqual([states, line.refusal.code], [["refused"], "expired"]);
  clock.advance(60000);
  assert.equal(sockets.length, 2);
  line.again();
  assert.equal(sockets.length, 4);
});

test("revoked in the middle of everything", async () => {
  const { line, home, sip, states } = await attached();
  home.tell({ refused: { code: "revoked", text: "removed" } });
  assert.equal(states.at(-1), "refused");
  assert.equal(line.refusal.code, "revoked");
  assert.ok(sip.closed && home.closed);
});

test("opened in another window", async () => {
  const { sip, states, clock, sockets } = await attached();
  sip.onclose({ code: 4409 });
  clock.advance(60000);
  assert.equal(states.at(-1), "moved");
  assert.equal(sockets.length, 2);
});

test("stopped", async () => {
  const { line, clock, sockets } = await attached();
  line.stop();
  clock.advance(60000);
  assert.ok(sockets.every(({ closed }) => closed));
  assert.equal(sockets.length, 2);
});
