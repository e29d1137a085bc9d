// Questions to the node, and their answers.

const PATIENCE = 12000; // ms
const LONGER = { hand_over: 30000 }; // ms: a person is waited for
const SIDE_BY_SIDE = 6; // the node takes eight at once

/** The node said no, or nothing. `code` is the node's; "lost" and "late" are ours. */
export class AskError extends Error {
  constructor(code, text = "") {
    super(text || code);
    this.code = code;
  }
}

export class Questions {
  #send;
  #clock;
  #number = 0;
  #running = new Map();
  #waiting = [];

  constructor(send, clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** A promise of the answer, which fails with AskError. */
  ask(verb, args = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ verb, args, resolve, reject });
      this.#next();
    });
  }

  /** A message of the node: true if it was an answer. */
  received(message) {
    if (!("id" in message)) return false;
    const question = this.#take(message.id);
    if (question) {
      const { error } = message;
      if (error) question.reject(new AskError(String(error.code), String(error.text ?? "")));
      else question.resolve(message.answer);
    }
    this.#next();
    return true;
  }

  /** The line is lost: nothing will be answered. */
  close() {
    const lost = [...this.#waiting.splice(0), ...[...this.#running.keys()].map((id) => this.#take(id))];
    for (const { reject } of lost) reject(new AskError("lost"));
  }

  #next() {
    while (this.#waiting.length && this.#running.size < SIDE_BY_SIDE) {
      const question = this.#waiting.shift();
      const id = (this.#number += 1);
      question.timer = this.#clock.set(() => {
        this.#take(id)?.reject(new AskError("late"));
        this.#next();
      }, LONGER[question.verb] ?? PATIENCE);
      this.#running.set(id, question);
      this.#send(JSON.stringify({ id, ask: question.verb, args: question.args }));
    }
  }

  #take(id) {
    const question = this.#running.get(id);
    if (question) this.#clock.clear(question.timer);
    this.#running.delete(id);
    return question;
  }
}
