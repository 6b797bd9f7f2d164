// "How did they come?": the initiatives behind the new customers, summed by what the owner wants to see.

import { h, sentence, table } from '../dom.js';
import { shareBar } from '../charts.js';
import { w } from '../words.js';
import * as f from '../format.js';
import { section } from './parts.js';

const t = w.acquisition;
const GROUPS = ['all', 'channel', 'source', 'medium', 'campaign'];
const SHOWN = 10;

/** data: the answer of /customers, whose initiatives this section reads. */
export function acquisition(data) {
  const rows = data.initiatives || [];
  const channels = sum(rows, ['channel']);
  const total = rows.reduce((n, r) => n + r.new_customers, 0);
  if (total === 0) return section('acquisition', t.question, data.coverage, h('p', { class: 'answer' }, t.none));
  const top = channels[0];
  return section('acquisition', t.question, data.coverage,
    sentence(t.answer(name(top.keys[0]), f.percent(top.new_customers / total, 0)), 'answer'),
    h('div', { class: 'columns-2' },
      h('div', { class: 'block' }, h('h3', {}, t.byChannel), bars(channels, total)),
      initiatives(rows, total)));
}

function bars(channels, total) {
  const most = channels[0].new_customers;
  return h('ol', { class: 'bars' }, channels.map((c) => h('li', {},
    h('span', { class: 'bar-name' }, name(c.keys[0])),
    h('span', { class: 'bar-value' }, h('b', { 'data-figure': `channel:${c.keys[0]}` }, f.count(c.new_customers)), h('span', { class: 'hint' }, f.percent(c.new_customers / total))),
    shareBar(c.new_customers / most))));
}

function initiatives(rows, total) {
  const place = h('div', { 'aria-live': 'polite' });
  let by = 'all';
  let all = false;
  const draw = () => {
    const keys = by === 'all' ? ['channel', 'source', 'medium', 'campaign'] : [by];
    const groups = sum(rows, keys);
    const shown = all ? groups : groups.slice(0, SHOWN);
    place.replaceChildren(
      table(t.initiatives,
        [{ text: by === 'all' ? t.initiative : t[by] }, { text: t.newCustomers, num: true }, { text: t.share, num: true, wide: true }, { text: t.revenue, num: true }],
        shown.map((g) => [title(g.keys), f.count(g.new_customers), f.percent(g.new_customers / total), f.moneyLine(g.revenue)]), 'initiatives'),
      groups.length > shown.length ? h('button', { class: 'link', onclick: () => { all = true; draw(); } }, t.more(groups.length - shown.length)) : '');
  };
  draw();
  const pick = h('select', { onchange: (e) => { by = e.target.value; all = false; draw(); } }, GROUPS.map((g) => h('option', { value: g }, t[g])));
  return h('div', { class: 'block' },
    h('div', { class: 'block-head' }, h('h3', {}, t.initiatives), h('label', { class: 'inline' }, h('span', {}, t.by), pick)),
    place);
}

/** Sums initiatives by some of their keys, most new customers first. Money is added in ten-thousandths, per currency, exactly. */
function sum(rows, keys) {
  const groups = new Map();
  for (const r of rows) {
    const values = keys.map((k) => r[k] || '');
    const id = JSON.stringify(values);
    const g = groups.get(id) || { keys: values, new_customers: 0, units: new Map() };
    g.new_customers += r.new_customers;
    for (const [currency, amount] of Object.entries(r.revenue || {})) {
      const digits = (amount.split('.')[1] || '').length;
      const had = g.units.get(currency) || { n: 0n, digits };
      g.units.set(currency, { n: had.n + toUnits(amount), digits: Math.max(digits, had.digits) });
    }
    groups.set(id, g);
  }
  return [...groups.values()]
    .map((g) => ({ ...g, revenue: Object.fromEntries([...g.units].map(([c, u]) => [c, fromUnits(u.n, u.digits)])) }))
    .sort((a, b) => b.new_customers - a.new_customers || String(a.keys).localeCompare(String(b.keys)));
}

function toUnits(text) {
  const negative = text.startsWith('-');
  const [whole, fraction = ''] = text.replace('-', '').split('.');
  const n = BigInt(whole + fraction.padEnd(4, '0').slice(0, 4));
  return negative ? -n : n;
}

function fromUnits(n, digits) {
  const text = (n < 0n ? -n : n).toString().padStart(5, '0');
  const fraction = text.slice(-4).slice(0, digits);
  return `${n < 0n ? '-' : ''}${text.slice(0, -4)}${fraction ? `.${fraction}` : ''}`;
}

/** An initiative's name: its channel, and behind it the source and campaign where they add anything. */
function title(keys) {
  const [first, source, , campaign] = keys;
  const more = [source, campaign].filter((k) => k && !t.names[k]).join(' · ');
  return [name(first), more ? h('span', { class: 'hint more' }, more) : null];
}

function name(key) {
  return t.names[key] || key;
}
