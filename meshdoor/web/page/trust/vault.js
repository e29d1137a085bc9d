// Where the phone keeps its key and what it belongs to: IndexedDB, which holds CryptoKeys without showing them.

const NAME = "meshdoor";
const STORE = "membership";
const RECORD = "this phone";

function asPromise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return asPromise(request);
}

async function within(mode, work) {
  const database = await open();
  try {
    const transaction = database.transaction(STORE, mode);
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
    const result = await asPromise(work(transaction.objectStore(STORE)));
    await done;
    return result;
  } finally {
    database.close();
  }
}

/** What was kept, or undefined. */
export const load = () => within("readonly", (store) => store.get(RECORD));

export const save = (membership) => within("readwrite", (store) => store.put(membership, RECORD));

export const forget = () => within("readwrite", (store) => store.delete(RECORD));
