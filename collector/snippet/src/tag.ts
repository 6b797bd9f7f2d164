import { createDelivery, forNow, refusal } from './delivery';
import { language, pagePath, referrer } from './page';
import { openStore, randomId } from './store';
import type { Decision } from './store';
import type { ConsentDetail, Fields, Purposes, WireEvent } from './types';

const CONSENT = '/v1/consent';
const JSON_TYPE = 'application/json';
const IDLE = 30 * 60000; // ms without an event that end a session

/** One shop's tag on one page: what its calls do. */
export function createTag(base: string, shop: string) {
  const store = openStore(shop);
  const delivery = createDelivery(base, shop, store);
  const refs: { customer?: string; contact?: string; cart?: string } = {}; // as long as the page lives
  let viewed = false;
  let counted = false;
  let asking = false;
  let clock = 0;

  /** Unix ms, strictly rising, so that two events of one moment keep their order. */
  const now = () => (clock = Math.max(Date.now(), clock + 1));

  /** Keeps the visitor's decision: asks for a receipt where it grants something new, forgets everything where it grants nothing. */
  function consent(purposes: Purposes, detail: ConsentDetail = {}) {
    const p: Purposes = {};
    let some = false;
    for (const name in purposes) some = (p[name] = purposes[name] === true) || some;
    const notice = typeof detail.notice === 'string' ? { version: detail.notice } : detail.notice;
    const d: Decision = {
      purposes: p,
      notice: notice && { version: notice.version, language: notice.language || language() },
      source: detail.source || 'api',
      choices: detail.choices,
    };
    let state = store.read();
    if (!some) {
      store.write(null);
      delivery.drop();
      // With a visitor id this is a withdrawal; without one it is counted, once a page, under an id that is used for nothing else.
      if (state || !counted) insist(CONSENT, { shop, visitor: state ? state.v : randomId(), ...d });
      counted = true;
      return;
    }
    if (!state) state = { v: randomId(), p, d };
    if (JSON.stringify(state.d) !== JSON.stringify(d)) {
      delete state.r;
      delete state.x;
    }
    state.p = p;
    state.d = d;
    store.write(state);
    if (!p.analytics) delivery.drop();
    resume();
  }

  /** Goes on where consent stands: the receipt that is still missing, this page's view, what waits. */
  function resume() {
    const state = store.read();
    if (!state) return;
    if (!viewed && state.p.analytics) {
      viewed = true;
      event('page_view');
    }
    if (!state.r) askReceipt();
    else delivery.soon(2000);
  }

  function askReceipt() {
    const state = store.read();
    if (!state || state.r || asking) return;
    asking = true;
    const asked = JSON.stringify(state.d);
    const again = (answer?: Response) => {
      asking = false;
      setTimeout(askReceipt, delivery.backOff(answer));
    };
    delivery.post(CONSENT, JSON.stringify({ shop, visitor: state.v, ...state.d }), JSON_TYPE).then((answer): unknown => {
      if (forNow(answer)) return again(answer);
      asking = false;
      delivery.calm();
      if (!answer.ok) {
        store.write(null);
        delivery.drop();
        return refusal(answer);
      }
      return answer.json().then((given) => {
        const held = store.read();
        if (!given.receipt) store.write(null); // nothing was granted after all
        else if (!held || held.v !== state.v) insist(CONSENT + '/withdraw', { receipt: given.receipt }); // taken back meanwhile
        else if (JSON.stringify(held.d) === asked) {
          held.r = given.receipt;
          held.x = Date.parse(given.expires_at) || undefined;
          store.write(held);
          delivery.soon(0);
        }
        askReceipt(); // for what was decided meanwhile; most often there is nothing to ask
      });
    }).catch(() => again());
  }

  /** Measures one event; without consent to analytics it is forgotten at once. */
  function event(name: string, fields?: Fields) {
    const state = store.read();
    if (!name || !state || !state.p.analytics) return;
    const time = now();
    if (!state.s || !state.t || Math.abs(time - state.t) > IDLE) state.s = randomId();
    state.t = time;
    const cart = refs.cart || state.c;
    const e: WireEvent = {
      id: randomId(), name, time, page: pagePath(), language: language(), referrer: referrer(), cart, customer: refs.customer,
      contact: state.p.marketing && name !== 'page_view' ? refs.contact : undefined,
    };
    // The wire wants text where shops often have bare numbers: order and cart ids, money. What is null or no number is not told.
    for (const field in fields) {
      const v = fields[field];
      e[field] = typeof v === 'number' ? (isFinite(v) ? String(v) : undefined) : v === null ? undefined : v;
    }
    delivery.add({ s: state.s, e });
    state.c = cart;
    if (name === 'purchase') state.c = refs.cart = undefined; // the next goods are another cart
    store.write(state);
  }

  /** Forgets everything here, then tells the server, which forgets too where erase is true. */
  function withdraw(how: { erase?: boolean } = {}) {
    const state = store.read();
    store.write(null);
    delivery.drop();
    if (state && state.r) insist(CONSENT + '/withdraw', { receipt: state.r, erase: how.erase === true });
  }

  function ref(kind: 'customer' | 'cart' | 'contact', value: string | null) {
    refs[kind] = value === null || value === undefined || value === '' ? undefined : String(value);
    if (kind !== 'cart') return;
    const state = store.read();
    if (state) {
      state.c = refs.cart;
      store.write(state);
    }
  }

  /** A message that must arrive though nothing about it may be kept: tried again while the page lives. */
  function insist(path: string, body: unknown, tries = 0) {
    const again = () => {
      if (tries < 6) setTimeout(() => insist(path, body, tries + 1), 1000 * 2 ** tries);
    };
    delivery.post(path, JSON.stringify(body), JSON_TYPE).then((answer) => forNow(answer) && again(), again);
  }

  return { consent, withdraw, event, ref, resume };
}
