// What part of the shop the figures cover. It stands beside every figure, because a figure without it misleads.

import { h, sentence } from '../dom.js';
import { shareBar } from '../charts.js';
import { w } from '../words.js';
import * as f from '../format.js';

const t = w.coverage;

/** report: the answer of /coverage. */
export function coverage(report) {
  const c = report.coverage;
  const known = c.ratio !== null && c.ratio !== undefined;
  return h('section', { id: 'coverage', class: 'card slim', 'aria-labelledby': 'coverage-h' },
    h('header', { class: 'card-head' }, h('h2', { id: 'coverage-h' }, t.heading)),
    sentence(known ? t.lead(f.percent(c.ratio), f.count(c.orders_measured), f.count(c.orders_total)) : t.leadNoBook, 'said'),
    known ? h('div', { class: 'meter', role: 'img', 'aria-label': `${t.meter}: ${f.percent(c.ratio)}` }, shareBar(c.ratio)) : null,
    h('dl', { class: 'kpis small' },
      item('orders_measured', t.orders, f.count(c.orders_measured)),
      known ? item('orders_total', t.ordersTotal, f.count(c.orders_total)) : null,
      item('consented_sessions', t.sessions, f.count(c.consented_sessions)),
      item('unconsented_page_views', t.unconsented, f.count(c.unconsented_page_views), t.unconsentedHint),
      decisions(report.decisions || [])));
}

/** How many of those who were asked said yes, by purpose; withdrawals are changes of mind, not answers to the question. */
function decisions(list) {
  return [...new Set(list.map((d) => d.purpose))].map((purpose) => {
    const of = (decision) => list.filter((d) => d.purpose === purpose && d.decision === decision).reduce((n, d) => n + d.count, 0);
    const [yes, all] = [of('granted'), of('granted') + of('refused')];
    return all ? item(`decisions:${purpose}`, `${t.decisions} ${(t.purposes[purpose] || purpose).toLowerCase()}`, f.percent(yes / all), t.decisionsHint(f.count(yes), f.count(all))) : null;
  });
}

function item(key, name, value, hint) {
  return h('div', { class: 'kpi' }, h('dt', {}, name), h('dd', {}, h('span', { class: 'value', 'data-figure': key }, value), hint ? h('span', { class: 'hint' }, hint) : null));
}
