import type { Store, State } from './store';
import { bounded } from './store';
import type { Waiting } from './types';

const EVENTS = '/v1/events';
const BATCH = 50; // events a request
const MEMORY = 200; // events that wait at most; then the oldest go
const PAUSE = 2000; // ms that events are gathered for one request
const LONGEST = 300000; // ms between two tries at most

export type Delivery = ReturnType<typeof createDelivery>;

/** Sends what waits, in batches, as long as there is a receipt. */
export function createDelivery(base: string, shop: string, store: Store) {
  const held = store.read();
  let waiting: Waiting[] = (held && held.q) || []; // also stays kept until an answer: ids make a second sending harmless
  let inFlight: Waiting[] | null = null;
  let timer = 0;
  let tries = 0;
  let notBefore = 0;

  /** Asks the server; text goes without a preflight. */
  function post(path: string, body: string, type?: string): Promise<Response> {
    return fetch(base + path, {
      method: 'POST', body, credentials: 'omit', keepalive: body.length < 60000, headers: type ? { 'Content-Type': type } : {},
    });
  }

  function add(one: Waiting) {
    waiting.push(one);
    waiting = waiting.slice(-MEMORY);
    soon(PAUSE);
  }

  /** Nothing may be sent any more. */
  function drop() {
    waiting = [];
    inFlight = null;
  }

  /** The server answered: what is next need not wait for what went wrong before. */
  function calm() {
    tries = notBefore = 0;
  }

  function soon(ms: number) {
    if (!timer) timer = setTimeout(send, Math.max(ms, notBefore - Date.now())) as unknown as number;
  }

  /** When to try again after a refusal for now, in ms; honours Retry-After where the browser may see it. */
  function backOff(answer?: Response): number {
    const told = answer ? Number(answer.headers.get('Retry-After')) * 1000 || 0 : 0;
    const ms = Math.min(LONGEST, Math.max(told, PAUSE * 2 ** tries++ * (0.75 + Math.random() / 2)));
    notBefore = Date.now() + ms;
    return ms;
  }

  function send() {
    timer = 0;
    const state = store.read();
    if (!state) return drop();
    if (!state.r || inFlight || !waiting.length) return;
    const batch = (inFlight = next());
    const again = (answer?: Response) => {
      if (inFlight !== batch) return;
      inFlight = null;
      waiting = batch.concat(waiting);
      keep(waiting);
      soon(backOff(answer));
    };
    post(EVENTS, body(state, batch)).then((answer) => {
      if (forNow(answer)) return again(answer);
      calm();
      if (inFlight !== batch) return;
      inFlight = null;
      keep([]);
      if (waiting.length) soon(PAUSE);
      if (answer.ok) {
        answer.json().then((done) => done.rejected && done.rejected.length && console.warn('kassa: rejected', done.rejected)).catch(() => 0);
      } else {
        refusal(answer).then((slug) => {
          if (answer.status === 403 && /^(consent|purpose)-/.test(slug)) {
            drop();
            store.write(null);
          }
        });
      }
    }, () => again());
  }

  /** The longest run of waiting events of one session that fits into a batch, as a batch has one session. */
  function next(): Waiting[] {
    let n = 1;
    while (n < BATCH && n < waiting.length && waiting[n].s === waiting[0].s) n++;
    return waiting.splice(0, n);
  }

  function body(state: State, batch: Waiting[]): string {
    return JSON.stringify({ shop, receipt: state.r, visitor: state.v, session: batch[0].s, sent_at: Date.now(), events: batch.map((w) => w.e) });
  }

  function keep(events: Waiting[]) {
    const state = store.read();
    if (!state) return drop();
    state.q = events.length ? bounded(events) : undefined;
    store.write(state);
  }

  /** The page goes away: hand over to the browser what waits, keep what it does not take or what has no answer yet. */
  function leave() {
    const state = store.read();
    while (state && state.r && waiting.length && Date.now() >= notBefore) {
      const batch = next();
      if (!navigator.sendBeacon || !navigator.sendBeacon(base + EVENTS, body(state, batch))) {
        waiting = batch.concat(waiting);
        break;
      }
    }
    keep((inFlight || []).concat(waiting));
  }
  addEventListener('pagehide', leave);
  document.addEventListener('visibilitychange', () => document.hidden && leave());

  return { post, add, drop, soon, backOff, calm };
}

/** Whether an answer means "not now": the same may be sent later. */
export function forNow(answer: Response): boolean {
  return answer.status === 429 || answer.status >= 500;
}

/** The slug of a refusal, also said on the console for the shop's technician. */
export function refusal(answer: Response): Promise<string> {
  return answer.json().catch(() => ({})).then((problem: { type?: string; detail?: string }) => {
    console.warn('kassa:', answer.status, problem.type, problem.detail);
    return problem.type || '';
  });
}
