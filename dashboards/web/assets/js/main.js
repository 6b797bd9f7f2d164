// The page: who is looking, which period, the reports behind it, and what to show for them.

import { h } from './dom.js';
import { w } from './words.js';
import * as f from './format.js';
import * as access from './access.js';
import * as period from './period.js';
import { report, ApiError } from './api.js';
import { accessForm } from './views/access.js';
import { bar } from './views/bar.js';
import { customers } from './views/customers.js';
import { acquisition } from './views/acquisition.js';
import { checkout } from './views/checkout.js';
import { coverage } from './views/coverage.js';
import { setup } from './views/setup.js';

const app = document.getElementById('app');
const EVER = 395; // days that count as "has this shop ever measured anything": the default retention of events
let who = null;
let inFlight = null;

function start() {
  access.takeFragment();
  who = access.load();
  if (who && who.shop) show();
  else ask('');
}

/** Shows the form; problem says why the last try failed. */
function ask(problem) {
  if (inFlight) inFlight.abort();
  document.title = w.title('');
  const form = accessForm(who, problem, (a) => {
    who = a;
    access.save(a);
    show();
  });
  app.replaceChildren(form.node);
  form.focus();
}

/** Fetches and shows the period that the address names. */
async function show() {
  if (inFlight) inFlight.abort();
  const mine = (inFlight = new AbortController());
  const p = period.read();
  document.title = w.title(who.shop);
  const main = frame(p);
  try {
    const timezone = who.timezone || (await learnTimezone(mine.signal));
    const q = period.params(p, timezone);
    const get = (path, more) => report(who, path, { from: q.from, to: q.to, compare: q.compare, ...more }, mine.signal);
    const [cust, byDevice, byChannel, cov] = await Promise.all([
      get('customers', { interval: q.interval }),
      get('checkout', { by: 'device' }),
      get('checkout', { by: 'channel', compare: '' }).catch(softly),
      get('coverage', { interval: q.interval, compare: '' }),
    ]);
    if (nothing(cust, byDevice, cov)) await showEmpty(main, timezone, mine.signal);
    else showFigures(main, q, { cust, byDevice, byChannel, cov });
  } catch (err) {
    if (err.name === 'AbortError') return;
    if (!(err instanceof ApiError)) throw err;
    refused(main, err);
  } finally {
    if (inFlight === mine) {
      main.removeAttribute('aria-busy');
      main.dataset.state = main.dataset.state || 'done';
    }
  }
}

/** The shop's days are its time zone's, which any answer tells. */
async function learnTimezone(signal) {
  const first = await report(who, 'coverage', {}, signal);
  who = { ...who, timezone: first.period.timezone };
  access.save(who);
  return who.timezone;
}

/** A part that may be missing without taking the rest with it. */
function softly(err) {
  if (err instanceof ApiError && err.status !== 401 && err.status !== 403) return null;
  throw err;
}

function nothing(cust, chk, cov) {
  const c = cov.coverage;
  return !cust.customers && !chk.totals.carts && !c.consented_sessions && !c.unconsented_page_views;
}

/** The bar and an empty main part with its loading state. The old figures stay, dimmed, until the new ones are there. */
function frame(p) {
  const old = app.querySelector('main.figures');
  const main = h('main', { class: 'figures', id: 'figures', 'aria-busy': 'true', tabindex: '-1' });
  if (old) main.append(...old.childNodes);
  else main.append(h('p', { class: 'loading', role: 'status' }, w.bar.loading), h('div', { class: 'card ghost' }), h('div', { class: 'card ghost' }));
  const go = (next) => {
    period.write(next);
    show();
  };
  const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.preset;
  app.replaceChildren(
    bar(who.shop, p, {
      period: go,
      refresh: show,
      setup: () => showSetup(main, { back: show }),
      leave: () => {
        who = { shop: '', token: '' };
        access.forget();
        ask('');
      },
    }), main);
  if (focused) app.querySelector(`[data-preset="${focused}"]`).focus();
  return main;
}

function showFigures(main, q, { cust, byDevice, byChannel, cov }) {
  const before = cust.previous && cust.previous.period;
  main.dataset.state = 'figures';
  main.replaceChildren(
    h('div', { class: 'when' },
      h('h1', {}, f.span(cust.period.from, cust.period.to)),
      h('p', { class: 'hint' }, [before ? w.bar.against(f.span(before.from, before.to)) : '', w.bar.asOf(f.clock(cust.generated_at, cust.period.timezone), cust.period.timezone)].filter(Boolean).join(' · '))),
    customers(cust, q.interval), acquisition(cust), checkout(byDevice, byChannel), coverage(cov));
}

/** No figure in this period: is it the period, or has nothing been measured at all? */
async function showEmpty(main, timezone, signal) {
  const to = period.today(timezone);
  const ever = await report(who, 'coverage', { from: period.plusDays(to, -EVER), to }, signal);
  if (ever.coverage.consented_sessions || ever.coverage.unconsented_page_views || ever.coverage.orders_measured) {
    main.dataset.state = 'empty-period';
    main.replaceChildren(h('section', { class: 'card message' }, h('h2', {}, w.empty.heading), h('p', {}, w.empty.text)));
  } else showSetup(main, { check: show, empty: true });
}

function showSetup(main, how) {
  main.dataset.state = how.empty ? 'empty-shop' : 'setup';
  main.replaceChildren(setup(who.shop, how));
  if (!how.empty) main.focus();
}

/** A wrong token, shop or role leads back to the form; anything else is said in place, with a way to try again. */
function refused(main, err) {
  const known = w.errors[err.type];
  const text = typeof known === 'function' ? known(who.shop) : known || w.errors.other(err.status, err.detail);
  if ([401, 403, 404].includes(err.status)) {
    access.forget();
    ask(text);
    return;
  }
  main.dataset.state = 'error';
  main.replaceChildren(h('section', { class: 'card message', role: 'alert' },
    h('h2', {}, w.errors.heading), h('p', {}, text), h('button', { class: 'primary', onclick: show }, w.errors.retry)));
}

window.addEventListener('hashchange', () => {
  if (location.hash.includes('token=')) start();
});
start();
