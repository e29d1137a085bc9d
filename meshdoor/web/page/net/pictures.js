// Pictures of visitors, fetched once and kept for a while.

const KEPT = 60;

export class Pictures {
  #fetch;
  #kept = new Map();

  constructor(fetch) {
    this.#fetch = fetch;
  }

  /** A promise of a URL for an <img>; null where there is no picture. */
  get(id) {
    const known = this.#kept.get(id) ?? this.#load(id);
    this.#kept.delete(id);
    this.#kept.set(id, known); // the newest is last
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return known;
  }

  async #load(id) {
    try {
      const { jpeg } = await this.#fetch(id);
      return jpeg ? `data:image/jpeg;base64,${jpeg}` : null;
    } catch {
      this.#kept.delete(id);
      return null;
    }
  }
}
