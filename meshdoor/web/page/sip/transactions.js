// Transactions over a reliable transport (RFC 3261 §17, RFC 6026): nothing is retransmitted here.

import { Request } from "./message.js";
import { TIMEOUT } from "./timers.js";

const MAX_TRANSACTIONS = 256;

/** A request of the other side, and what was answered. */
export class ServerTransaction {
  constructor(table, key, request) {
    this.request = request;
    this.done = false; // a final response was sent
    this.onAck = () => {}; // of a final response of 300 or more
    this.#table = table;
    this.#key = key;
  }

  #table;
  #key;
  #last = null;
  #timer = null;

  send(response) {
    if (this.done) return;
    this.#last = response;
    if (response.status >= 200) {
      this.done = true;
      this.#timer = this.#table.after(TIMEOUT, () => this.#table.drop(this.#key));
    }
    this.#table.send(response);
  }

  /** The same request came again. */
  repeated() {
    if (this.#last) this.#table.send(this.#last);
  }

  acknowledged() {
    if (!this.done || this.#last.status < 300) return;
    this.#table.clear(this.#timer);
    this.#table.drop(this.#key);
    this.onAck();
  }
}

/** A request of ours. `user` has `response(response)` and `failed()`, which is called when none came. */
export class ClientTransaction {
  constructor(table, key, request, user) {
    this.request = request;
    this.#table = table;
    this.#key = key;
    this.#user = user;
    this.#timer = table.after(TIMEOUT, () => this.#fail());
  }

  #table;
  #key;
  #user;
  #timer;
  #over = false;

  received(response) {
    const isInvite = this.request.method === "INVITE";
    if (response.status < 200) {
      if (isInvite) this.#table.clear(this.#timer); // it may ring as long as it likes
      if (!this.#over) this.#user.response(response);
      return;
    }
    if (isInvite && response.status >= 300) this.#table.send(ackOf(this.request, response));
    if (isInvite && response.status < 300) {
      // Other dialogs of a fork may answer too (RFC 6026 §7.2).
      if (!this.#over) this.#end(TIMEOUT);
      this.#user.response(response);
    } else if (!this.#over) {
      this.#end(isInvite ? TIMEOUT : 0);
      this.#user.response(response);
    }
  }

  /** The transport is gone. */
  abandon() {
    if (!this.#over) this.#fail();
  }

  #fail() {
    this.#end(0);
    this.#user.failed();
  }

  #end(linger) {
    this.#over = true;
    this.#table.clear(this.#timer);
    if (linger) this.#table.after(linger, () => this.#table.drop(this.#key));
    else this.#table.drop(this.#key);
  }
}

/** The ACK of a final response of 300 or more; it belongs to the transaction (§17.1.1.3). */
function ackOf(invite, response) {
  const copied = ["From", "Call-ID", "Max-Forwards"].map((name) => [name, invite.headers.get(name)]);
  const routes = invite.headers.all("Route").map((value) => ["Route", value]);
  return new Request("ACK", invite.uri, [
    ["Via", invite.headers.get("Via")],
    ...routes,
    ...copied,
    ["To", response.headers.get("To")],
    ["CSeq", `${invite.cseq.number} ACK`],
  ]);
}

/** All transactions of one flow. `user` has `request(transaction)` and `ack(request)`, the ACK of a 2xx. */
export class Transactions {
  constructor(send, clock, user) {
    this.#send = send;
    this.#clock = clock;
    this.#user = user;
  }

  #send;
  #clock;
  #user;
  #servers = new Map();
  #clients = new Map();
  #timers = new Set();

  send(message) {
    this.#send(String(message));
  }

  after(delay, callback) {
    const id = this.#clock.set(() => {
      this.#timers.delete(id);
      callback();
    }, delay);
    this.#timers.add(id);
    return id;
  }

  clear(id) {
    this.#timers.delete(id);
    this.#clock.clear(id);
  }

  drop(key) {
    this.#servers.delete(key);
    this.#clients.delete(key);
  }

  begin(request, user) {
    const key = clientKey(request);
    const transaction = new ClientTransaction(this, key, request, user);
    this.#clients.set(key, transaction);
    this.send(request);
    return transaction;
  }

  /** The server transaction of an INVITE that this CANCEL is about. */
  cancelled(cancel) {
    return this.#servers.get(serverKey(cancel, "INVITE"));
  }

  received(message) {
    if (message instanceof Request) this.#request(message);
    else this.#clients.get(clientKey(message))?.received(message);
  }

  /** The flow is gone: nothing more comes of what was under way. */
  close() {
    const clients = [...this.#clients.values()];
    for (const id of this.#timers) this.#clock.clear(id);
    this.#timers.clear();
    this.#servers.clear();
    this.#clients.clear();
    for (const client of clients) client.abandon();
  }

  #request(request) {
    const known = this.#servers.get(serverKey(request, request.method === "ACK" ? "INVITE" : request.method));
    if (request.method === "ACK") {
      if (known) known.acknowledged();
      else this.#user.ack(request);
    } else if (known) {
      known.repeated();
    } else if (this.#servers.size < MAX_TRANSACTIONS) {
      const key = serverKey(request, request.method);
      const transaction = new ServerTransaction(this, key, request);
      this.#servers.set(key, transaction);
      this.#user.request(transaction);
    }
  }
}

function serverKey(request, method) {
  const { sentBy, params } = request.via;
  return `S ${params.get("branch") ?? request.callId} ${sentBy} ${method}`;
}

function clientKey(message) {
  return `C ${message.via.params.get("branch")} ${message.cseq.method}`;
}
