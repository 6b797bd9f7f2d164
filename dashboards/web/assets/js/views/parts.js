// What the sections share: a section's frame with its coverage, a figure with its change, a delta.

import { h } from '../dom.js';
import { w } from '../words.js';
import { change, percent } from '../format.js';

/** A section with its question as heading and, always, what part of the shop its figures cover. */
export function section(id, question, coverage, ...children) {
  return h('section', { id, class: 'card', 'aria-labelledby': `${id}-h` },
    h('header', { class: 'card-head' },
      h('h2', { id: `${id}-h` }, question),
      coverageNote(coverage)),
    children);
}

function coverageNote(c) {
  const known = c && c.ratio !== null && c.ratio !== undefined;
  return h('a', { class: 'chip', href: '#coverage' }, known ? w.coverage.ratio(percent(c.ratio)) : w.coverage.noBook);
}

/** One figure. before: the figure of the days before; better: +1 when more is good news, −1 when it is not, 0 neither. */
export function figure({ name, value, hint, now, before, points, better = 1, key, big }) {
  const c = change(now, before, points);
  return h('div', { class: big ? 'kpi big' : 'kpi' },
    h('dt', {}, name),
    h('dd', {},
      h('span', { class: 'value', 'data-figure': key || null }, value),
      c ? delta(c, better) : null,
      hint ? h('span', { class: 'hint' }, hint) : null));
}

/** The change as text with an arrow; colour only repeats what they say. */
export function delta(c, better) {
  const tone = c.sign * better > 0 ? 'good' : c.sign * better < 0 ? 'bad' : 'even';
  const arrow = c.sign > 0 ? '▲' : c.sign < 0 ? '▼' : '＝';
  return h('span', { class: `delta ${tone}`, title: w.vs(c.text) },
    h('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow), c.text, h('span', { class: 'sr' }, ` ${w.vs('')}`));
}

/** The legend of a drawing: [[class, text]…]. */
export function legend(entries) {
  return h('ul', { class: 'legend' }, entries.map(([cls, text]) => h('li', {}, h('span', { class: `key ${cls}`, 'aria-hidden': 'true' }), text)));
}
