import type { Purposes, Source, Waiting } from './types';

/** Everything the tag keeps in this browser, under one key, and only once the visitor has said yes. Short names: it is read often. */
export interface State {
  /** visitor id */
  v: string;
  /** what was granted */
  p: Purposes;
  /** the decision as it is sent, to see whether a new one says the same */
  d: Decision;
  /** consent receipt; absent until the collector has answered */
  r?: string;
  /** when the receipt expires, Unix ms */
  x?: number;
  /** session id and the time of its last event, Unix ms */
  s?: string;
  t?: number;
  /** cart id */
  c?: string;
  /** events that could not be sent yet */
  q?: Waiting[];
}

export interface Decision {
  purposes: Purposes;
  notice?: { version: string; language: string };
  source: Source;
  choices?: Record<string, unknown>;
}

export interface Store {
  /** What is kept, or null: no consent, withdrawn (also in another tab), or expired. */
  read(): State | null;
  /** Keeps it; null forgets everything. */
  write(state: State | null): void;
}

/** The largest text of waiting events that is kept from page to page. */
const ROOM = 2800;

export function openStore(shop: string): Store {
  const key = 'kassa.' + shop;
  let memory: string | null = null; // where localStorage is blocked or full: as long as the page lives
  let blocked = false;

  const store: Store = {
    read() {
      let text = memory;
      if (!blocked) {
        try {
          text = localStorage.getItem(key);
        } catch (e) {
          blocked = true;
        }
      }
      let state: State | null = null;
      try {
        state = JSON.parse(text || 'null');
      } catch (e) { /* not ours, or cut: as if nothing were kept */ }
      if (state && (!state.v || (state.x && state.x < Date.now()))) store.write((state = null));
      return state;
    },
    write(state) {
      memory = state && JSON.stringify(state);
      try {
        if (memory) localStorage.setItem(key, memory);
        else localStorage.removeItem(key);
        blocked = false;
      } catch (e) {
        blocked = true;
      }
    },
  };
  return store;
}

/** The newest waiting events that fit into what the tag allows itself to keep. */
export function bounded(waiting: Waiting[]): Waiting[] {
  let room = ROOM;
  let from = waiting.length;
  while (from > 0 && (room -= JSON.stringify(waiting[from - 1]).length + 1) > 0) from--;
  return waiting.slice(from);
}

/** A random id of 144 bits in 24 characters of A–Z a–z 0–9 - _. */
export function randomId(): string {
  return btoa(String.fromCharCode.apply(null, crypto.getRandomValues(new Uint8Array(18)) as unknown as number[]))
    .replace(/\+/g, '-').replace(/\//g, '_');
}
