// "How many customers do I really have?"

import { h, sentence, tableAlternative } from '../dom.js';
import { columns } from '../charts.js';
import { w } from '../words.js';
import * as f from '../format.js';
import { section, figure, legend } from './parts.js';

const t = w.customers;

/** data: the answer of /customers; interval: day, week or month. */
export function customers(data, interval) {
  const before = data.previous || {};
  const order = f.amounts(data.revenue).map((a) => a.currency); // the currency that brought most leads in every figure
  const at = (id, name, value, more) => figure({ key: id, name, value, now: data[id], before: before[id], ...more });
  return section('customers', t.question, data.coverage,
    data.customers > 0 ? sentence(t.answer(data.customers, data.new, data.returning, f.count), 'answer') : h('p', { class: 'answer' }, t.none),
    h('dl', { class: 'kpis' },
      at('customers', t.customers, f.count(data.customers)),
      revenue(t.revenue, 'revenue', data.revenue, before.revenue, order, t.revenueHint),
      at('orders', t.orders, f.count(data.orders)),
      revenue(t.average, 'average_order_value', data.average_order_value, before.average_order_value, order, '', false),
      at('orders_per_customer', t.perCustomer, f.decimal(data.orders_per_customer)),
      at('repeat_rate', t.repeat, f.percent(data.repeat_rate), { points: true, hint: t.repeatHint })),
    data.customers > 0 ? concentration(data) : null,
    series(data.series || [], interval));
}

/** Money by currency: the change is shown where one currency is compared with itself. */
function revenue(name, key, now, before, order, hint, whole = true) {
  const all = f.amounts(now, whole).sort((a, b) => order.indexOf(a.currency) - order.indexOf(b.currency)).filter((a, i) => i === 0 || Number(a.amount) !== 0);
  const main = all[0];
  const others = all.slice(1).map((a) => a.text).join(' + ');
  return figure({
    key, name, value: main ? main.text : f.NONE, now: main && main.amount, before: main && before && before[main.currency],
    hint: others ? `+ ${others}` : hint,
  });
}

function concentration(data) {
  const c = data.concentration || {};
  const half = c.customers_for_half_of_revenue;
  if (!half) return null;
  const said = data.customers === 1 ? t.oneCustomer : t.concentration(half, data.customers, f.count);
  const also = [
    c.top_10_percent_revenue_share !== null && data.customers >= 10 && t.top(f.percent(c.top_10_percent_revenue_share)),
    c.largest_customer_share !== null && data.customers > 1 && t.largest(f.percent(c.largest_customer_share)),
  ].filter(Boolean).join(', ');
  const share = half / data.customers;
  return h('div', { class: data.customers === 1 ? 'concentration one' : 'concentration', 'data-figure': 'concentration' },
    data.customers === 1 ? null : h('div', { class: 'balance', 'aria-hidden': 'true', vars: { '--few': `${Math.max(1.5, share * 100)}%` } },
      h('div', { class: 'balance-row' }, h('i', { class: 'few' }), h('span', {}, `${f.percent(share)} ${t.ofCustomers}`)),
      h('div', { class: 'balance-row half' }, h('i', { class: 'few' }), h('span', {}, `${t.half} ${t.ofRevenue}`))),
    h('div', {}, sentence(said, 'said'), also ? h('p', { class: 'hint' }, `${also.charAt(0).toUpperCase()}${also.slice(1)}.`) : null));
}

function series(rows, interval) {
  if (rows.length < 2 || !rows.some((r) => r.customers > 0)) return null;
  const when = (r, style) => f.date(r.start, interval === 'month' ? 'month' : style);
  const name = t.series[interval];
  return h('div', { class: 'block' },
    h('div', { class: 'block-head' }, h('h3', {}, name), legend([['new', t.new], ['returning', t.returning]])),
    columns(rows.map((r) => ({
      parts: [r.new, r.returning],
      axis: when(r, 'day'),
      reading: t.reading(when(r, interval === 'day' ? 'weekday' : 'full'), f.count(r.customers), f.count(r.new), f.count(r.returning), f.count(r.orders), f.moneyLine(r.revenue)),
    })), { classes: ['new', 'returning'], summary: name, idle: t.seriesHint, keys: t.keys, format: f.count }),
    tableAlternative(w.table, name,
      [{ text: t.start[interval] }, { text: t.customers, num: true }, { text: t.new, num: true }, { text: t.returning, num: true }, { text: t.orders, num: true }, { text: t.revenue, num: true }],
      rows.map((r) => [when(r, 'full'), f.count(r.customers), f.count(r.new), f.count(r.returning), f.count(r.orders), f.moneyLine(r.revenue)])));
}
