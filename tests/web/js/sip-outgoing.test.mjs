import assert from "node:assert/strict";
import { test } from "node:test";

import { parse, respond } from "../../../meshdoor/web/page/sip/message.js";
import { brief, couple, lone } from "./sip-fakes.mjs";

const DOOR = "sip:meshdoor@door.home.arpa";
const CONTACT = ["Contact", "<sip:door@door.home.arpa>"];
const ROUTES = [["Record-Route", "<sip:b@two;lr>"], ["Record-Route", "<sip:a@one;lr>"]];

function called() {
  const end = lone();
  const call = end.agent.invite(DOOR, "offer", [["X-Why", "look"]]);
  const [invite] = end.take();
  const heard = [];
  for (const name of ["progress", "answered", "ended"]) call.on(name, (detail) => heard.push([name, detail]));
  const answer = (status, { tag = "theirs", headers = [CONTACT], body = "", of = invite } = {}) =>
    end.agent.received(String(respond(of, status, { tag, headers, body })));
  return { ...end, call, invite, events: heard, answer };
}

test("what an INVITE says", () => {
  const { invite } = called();
  assert.equal(invite.uri, DOOR);
  assert.match(invite.headers.get("Via"), /^SIP\/2\.0\/WSS phone\.home\.arpa;branch=z9hG4bK/);
  assert.equal(invite.headers.get("From").split(";")[0], "<sip:phone@phone.home.arpa>");
  assert.equal(invite.headers.get("X-Why"), "look");
  assert.equal(invite.body, "offer");
});

test("answered: the ACK goes to the contact, along the route", () => {
  const { call, answer, take, events } = called();
  answer(100, { tag: "" });
  answer(183, { body: "early", headers: [CONTACT, ...ROUTES] });
  answer(200, { body: "answer", headers: [CONTACT, ...ROUTES] });
  const [ack] = take();
  assert.equal(brief(ack), "ACK");
  assert.equal(ack.uri, "sip:door@door.home.arpa");
  assert.deepEqual(ack.headers.all("Route"), ["<sip:a@one;lr>", "<sip:b@two;lr>"]);
  answer(200, { body: "answer" });
  assert.deepEqual(take().map(String), [String(ack)]);
  assert.deepEqual(events.map(([name]) => name), ["progress", "progress", "answered"]);
  call.hangup();
  assert.deepEqual(take().map(brief), ["BYE"]);
  assert.equal(events.at(-1)[1].why, "hung up");
});

test("refused: the ACK is that of the INVITE", () => {
  const { answer, take, invite, events } = called();
  answer(486);
  const [ack] = take();
  assert.equal(ack.headers.get("Via"), invite.headers.get("Via"));
  assert.equal(ack.to.params.get("tag"), "theirs");
  assert.deepEqual([events[0][1].why, events[0][1].status], ["rejected", 486]);
  answer(486);
  assert.deepEqual(take().map(brief), ["ACK"]);
});

test("nobody answers at all", () => {
  const { clock, events } = called();
  clock.advance(32000);
  assert.equal(events[0][1].why, "no answer");
  assert.equal(clock.pending, 0);
});

test("it may ring for long", () => {
  const { clock, events, answer } = called();
  answer(180);
  clock.advance(120000);
  assert.deepEqual(events.map(([name]) => name), ["progress"]);
});

test("given up: the CANCEL waits for a provisional response", () => {
  const { call, answer, take, invite, events } = called();
  call.hangup();
  call.hangup();
  assert.deepEqual(take(), []);
  answer(180);
  const [cancel] = take();
  assert.equal(brief(cancel), "CANCEL");
  assert.equal(cancel.headers.get("Via"), invite.headers.get("Via"));
  answer(200, { of: cancel });
  answer(183, { body: "late" });
  answer(487);
  assert.deepEqual(take().map(brief), ["ACK"]);
  assert.deepEqual(events.map(([name, { why }]) => [name, why]), [["ended", "hung up"]]);
});

test("given up while the 200 was under way", () => {
  const { call, answer, take, events } = called();
  answer(180);
  call.hangup();
  take();
  answer(200, { body: "answer" });
  assert.deepEqual(take().map(brief), ["ACK", "BYE"]);
  assert.equal(events.at(-1)[1].why, "hung up");
});

test("the second 200 of a fork is ended", () => {
  const { call, answer, take } = called();
  answer(200, { tag: "one", body: "answer" });
  answer(200, { tag: "two", body: "answer" });
  assert.deepEqual(take().map(brief), ["ACK", "ACK", "BYE"]);
  assert.equal(call.phase, "confirmed");
});

test("a reliable 183 is confirmed once", () => {
  const { answer, take, events } = called();
  const reliable = { headers: [CONTACT, ["Require", "100rel"], ["RSeq", 7]], body: "early" };
  answer(183, reliable);
  answer(183, reliable);
  const pracks = take();
  assert.deepEqual(pracks.map(brief), ["PRACK"]);
  assert.match(pracks[0].headers.get("RAck"), /^7 \d+ INVITE$/);
  assert.equal(events.length, 1);
});

test("offered anew, and refused, and at a bad moment", async () => {
  const { call, answer, take } = called();
  await assert.rejects(call.reinvite("too early"), { status: 491 });
  answer(200, { body: "answer" });
  take();
  const agreed = call.reinvite("speak");
  await assert.rejects(call.reinvite("at once"), { status: 491 });
  const [again] = take();
  answer(200, { of: again, body: "spoken" });
  assert.equal(await agreed, "spoken");
  assert.deepEqual(take().map(brief), ["ACK"]);
  const refused = call.reinvite("more");
  answer(403, { of: take()[0] });
  await assert.rejects(refused, { status: 403 });
});

test("both offer at once", async () => {
  const { door, phone, run } = couple();
  let incoming;
  phone.on("invite", (call) => { incoming = call; call.accept("answer"); });
  const call = door.invite("sip:phone@fade.home.arpa", "offer");
  await run();
  const both = Promise.allSettled([call.reinvite("a"), incoming.reinvite("b")]);
  await run();
  const [one, two] = await both;
  assert.deepEqual([one.reason.status, two.reason.status], [491, 491]);
});

test("a re-INVITE under way when the call ends fails", async () => {
  const { call, answer, agent } = called();
  answer(200, { body: "answer" });
  const pending = call.reinvite("speak");
  agent.close();
  await assert.rejects(pending, { status: 487 });
});

test("what is told in a call and outside of one", async () => {
  const { door, phone, run, log } = couple();
  phone.on("invite", (call) => call.accept("answer"));
  const call = door.invite("sip:phone@fade.home.arpa", "offer");
  await run();
  const status = call.tell("INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160");
  const other = door.message("sip:phone@fade.home.arpa", "text/plain", "hello");
  await run();
  assert.deepEqual([await status, await other], [200, 200]);
  assert.deepEqual(log.slice(-4), ["INFO", "MESSAGE", "200 INFO", "200 MESSAGE"]);
});

test("what is told to nobody", async () => {
  const { agent, clock } = lone();
  const status = agent.message(DOOR, "text/plain", "hello");
  clock.advance(32000);
  assert.equal(await status, 408);
});

test("a response to nothing is dropped", () => {
  const { agent, sent } = lone();
  const stray = parse("SIP/2.0 200 OK\r\nVia: SIP/2.0/WSS x;branch=1\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n");
  assert.ok(agent.received(String(stray)));
  assert.deepEqual(sent, []);
});
