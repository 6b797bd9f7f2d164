// "Where do they give up?": the checkout step by step, what became of the carts, and for whom it goes wrong.

import { h, sentence, table, tableAlternative } from '../dom.js';
import { funnelStep, whisker, partsBar, wilson, niceScale } from '../charts.js';
import { w } from '../words.js';
import * as f from '../format.js';
import { section, figure, legend } from './parts.js';

const t = w.checkout;
const STATES = ['purchased', 'recovered', 'open', 'superseded', 'emptied', 'abandoned'];

/** byDevice: the answer of /checkout?by=device; byChannel: of /checkout?by=channel, or null where it failed. */
export function checkout(byDevice, byChannel) {
  const { steps = [], totals = {} } = byDevice;
  if (!totals.carts) return section('checkout', t.question, byDevice.coverage, h('p', { class: 'answer' }, t.none));
  const before = (byDevice.previous && byDevice.previous.totals) || {};
  const decided = decidedCarts(totals);
  const bought = totals.purchased + totals.recovered;
  const left = f.amounts(totals.abandoned_value);
  return section('checkout', t.question, byDevice.coverage,
    worst(steps),
    h('dl', { class: 'kpis' },
      figure({ key: 'abandonment_rate', name: t.rate, value: f.percent(totals.abandonment_rate), now: totals.abandonment_rate, before: before.abandonment_rate, points: true, better: -1, hint: t.rateHint(f.count(totals.abandoned), f.count(decided)) }),
      figure({
        key: 'abandoned_value', name: t.left, value: left.length ? left[0].text : f.NONE, now: left[0] && left[0].amount, better: -1,
        before: left[0] && before.abandoned_value && before.abandoned_value[left[0].currency],
        hint: [left.slice(1).map((a) => `+ ${a.text}`).join(' '), t.leftHint(totals.abandoned, f.count)].filter(Boolean).join(' '),
      }),
      figure({ key: 'carts', name: t.carts, value: f.count(totals.carts), now: totals.carts, before: before.carts }),
      figure({ key: 'purchased', name: t.purchased, value: f.count(bought), now: bought, before: before.carts === undefined ? undefined : before.purchased + before.recovered, hint: totals.recovered ? t.purchasedHint(f.count(totals.recovered)) : null })),
    steps.length ? drawing(steps) : null,
    whatBecame(totals),
    h('div', { class: 'columns-2' },
      groups(t.byDevice, t.device, byDevice.groups, (k) => t.devices[k] || k),
      byChannel ? groups(t.byChannel, t.channel, byChannel.groups, (k) => w.acquisition.names[k] || k) : h('p', { class: 'hint' }, w.unavailable)));
}

/** Carts whose fate is known: neither open nor emptied nor superseded. */
function decidedCarts(totals) {
  return totals.carts - totals.open - totals.emptied - totals.superseded;
}

/** The sentence that names the step where most carts are lost, and the steepest one where that is another. */
function worst(steps) {
  const lossy = steps.filter((st) => st.abandoned > 0 && st.abandonment_rate !== null);
  if (!lossy.length) return h('p', { class: 'answer' }, t.noLoss);
  const most = lossy.reduce((a, b) => (b.abandoned > a.abandoned ? b : a));
  const total = steps.reduce((n, st) => n + st.abandoned, 0);
  const range = (st) => `${f.percent(st.abandonment_rate_low)} and ${f.percent(st.abandonment_rate_high)}`;
  const byRate = [...lossy].sort((a, b) => b.abandonment_rate - a.abandonment_rate);
  const other = byRate[0] === most ? byRate[1] : byRate[0];
  const also = !other ? [] : (byRate[0] === most ? t.next : t.steepest)(t.label(other.step), f.percent(other.abandonment_rate), range(other));
  return h('div', { 'data-figure': 'worst' },
    sentence(t.answer(most.abandoned, total, t.where(most.step), f.count), 'answer'),
    sentence([...t.rateOfMost(f.percent(most.abandonment_rate), range(most)), ...also], 'said'));
}

function drawing(steps) {
  const first = steps[0].carts;
  const max = niceScale(100 * Math.max(0.05, ...steps.map((st) => st.abandonment_rate_high || 0))).max / 100;
  const worstRate = Math.max(...steps.map((st) => st.abandonment_rate || 0));
  const rows = steps.map((st, i) => {
    const last = i === steps.length - 1;
    const on = last ? st.carts - st.abandoned : steps[i + 1].carts;
    const rest = Math.max(0, st.carts - on - st.abandoned);
    const name = t.label(st.step);
    const isWorst = st.abandonment_rate > 0 && st.abandonment_rate === worstRate;
    return h('li', { class: isWorst ? 'step worst' : 'step', 'data-step': st.step },
      h('div', { class: 'step-name' }, h('b', {}, name), h('span', { class: 'hint' }, i === 0 ? '' : t.of(f.percent(st.rate_from_first))),
        st.skipped ? h('span', { class: 'hint' }, t.skippedBy(f.count(st.skipped))) : null),
      h('div', { class: 'step-carts' }, f.count(st.carts)),
      h('div', { class: 'step-bar' }, funnelStep({ first, carts: st.carts, on, lost: st.abandoned, rest, last, label: t.bar(name, f.count(st.carts), f.count(on), f.count(st.abandoned), f.count(rest)) }),
        last || st.median_seconds_to_next === null ? null : h('span', { class: 'between' }, f.duration(st.median_seconds_to_next), h('span', { class: 'wide-only' }, t.toNext))),
      last && !st.abandoned ? h('div', { class: 'step-rate' }) : h('div', { class: 'step-rate' },
        h('span', {}, h('b', {}, f.percent(st.abandonment_rate)), ' ', h('span', { class: 'hint' }, f.interval(st.abandonment_rate_low, st.abandonment_rate_high))),
        whisker(st.abandonment_rate, st.abandonment_rate_low, st.abandonment_rate_high, max)));
  });
  return h('div', { class: 'block' },
    h('div', { class: 'block-head' }, h('h3', {}, t.funnel), legend([['on', t.legend.on], ['lost', t.legend.lost], ['rest', t.legend.rest]])),
    h('div', { class: 'steps-head', 'aria-hidden': 'true' }, h('span', {}), h('span', {}, t.reached), h('span', {}), h('span', { title: t.whisker }, `${t.rowRate} (${t.interval})`)),
    h('ol', { class: 'steps' }, rows),
    tableAlternative(w.table, t.funnel,
      [{ text: t.step }, ...[t.reached, t.ofFirst, t.ofPrevious, t.skipped, t.abandoned, t.abandonment, t.interval, t.toNextStep].map((text) => ({ text, num: true }))],
      steps.map((st) => [t.label(st.step), f.count(st.carts), f.percent(st.rate_from_first), f.percent(st.rate_from_previous), f.count(st.skipped), f.count(st.abandoned),
        f.percent(st.abandonment_rate), f.interval(st.abandonment_rate_low, st.abandonment_rate_high), f.duration(st.median_seconds_to_next)])));
}

function whatBecame(totals) {
  const parts = STATES.map((id) => ({ id, n: totals[id] || 0, cls: `state-${id}` }));
  const label = (p) => `${t.states[p.id][0]}: ${f.count(p.n)}`;
  return h('div', { class: 'block' },
    h('h3', {}, t.whereStands),
    partsBar(parts.map((p) => ({ ...p, label: label(p) })), parts.map(label).join(', ')),
    h('ul', { class: 'states' }, parts.map((p) => h('li', {},
      h('span', { class: `key ${p.cls}`, 'aria-hidden': 'true' }),
      h('span', {}, h('b', { 'data-figure': `state:${p.id}` }, f.count(p.n)), ' ', t.states[p.id][0], h('span', { class: 'hint' }, t.states[p.id][1])),
      h('span', { class: 'hint pct' }, f.percent(p.n / totals.carts))))));
}

function groups(title, keyTitle, list, name) {
  if (!list || !list.length) return null;
  const rows = [...list].sort((a, b) => b.totals.carts - a.totals.carts).map((g) => {
    const n = decidedCarts(g.totals);
    const [low, high] = wilson(g.totals.abandoned, n);
    return { key: name(g.key), g: g.totals, low, high };
  });
  const max = niceScale(100 * Math.max(0.05, ...rows.map((r) => r.high || 0))).max / 100;
  return h('div', { class: 'block' }, h('h3', {}, title),
    table(title,
      [{ text: keyTitle }, { text: t.carts, num: true }, { text: t.abandonment, num: true }, { text: t.interval, wide: true }, { text: t.value, num: true }],
      rows.map((r) => [r.key, f.count(r.g.carts), [f.percent(r.g.abandonment_rate), h('span', { class: 'hint small-only', 'aria-hidden': 'true' }, f.interval(r.low, r.high))],
        h('span', { class: 'range-cell', title: f.interval(r.low, r.high) }, h('span', { class: 'sr' }, f.interval(r.low, r.high)), whisker(r.g.abandonment_rate, r.low, r.high, max)),
        f.moneyLine(r.g.abandoned_value)]), 'groups'));
}
