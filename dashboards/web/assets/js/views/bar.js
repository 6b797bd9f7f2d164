// The bar on top: the shop, the period, and what one can do with the page.

import { h, s } from '../dom.js';
import { w } from '../words.js';
import { PRESETS } from '../period.js';

const t = w.bar;

/** The mark and the name. */
export function logo() {
  return h('span', { class: 'logo' },
    s('svg', { viewBox: '0 0 32 32', width: 28, height: 28, 'aria-hidden': 'true' },
      s('rect', { class: 'logo-tile', width: 32, height: 32, rx: 8 }),
      s('path', { class: 'logo-mark', d: 'M8 8h16l-5.2 8v5.2L13.2 24v-8z' })),
    h('span', {}, 'Kassa'));
}

/** actions: {period(p), refresh(), setup(), leave()}. */
export function bar(shop, period, actions) {
  const custom = customPeriod(period, actions);
  const presets = h('div', { class: 'segments', role: 'group', 'aria-label': t.period },
    PRESETS.map((id) => h('button', { type: 'button', 'aria-pressed': String(period.preset === id), 'data-preset': id, onclick: () => {
      if (id === 'custom') {
        custom.hidden = !custom.hidden;
        if (!custom.hidden) custom.querySelector('input').focus();
      } else actions.period({ ...period, preset: id, from: '', to: '' });
    } }, t.presets[id])));
  return h('header', { class: 'bar' },
    h('a', { class: 'skip', href: '#customers' }, w.skip),
    h('div', { class: 'bar-row' },
      logo(),
      h('span', { class: 'shop', title: t.shop }, shop),
      h('nav', { class: 'sections', 'aria-label': t.sections },
        [['customers', w.customers.nav], ['acquisition', w.acquisition.nav], ['checkout', w.checkout.nav], ['coverage', w.coverage.nav]]
          .map(([id, text]) => h('a', { href: `#${id}` }, text))),
      menu(actions)),
    h('div', { class: 'bar-row controls' },
      presets, custom,
      h('label', { class: 'check' },
        h('input', { type: 'checkbox', checked: period.compare, onchange: (e) => actions.period({ ...period, compare: e.target.checked }) }), t.compare),
      h('button', { type: 'button', class: 'quiet refresh', onclick: actions.refresh }, t.refresh)));
}

function menu(actions) {
  const item = (text, act) => h('button', { type: 'button', onclick: act }, text);
  return h('div', { class: 'menu' },
    item(t.setup, actions.setup), item(t.print, () => window.print()), item(t.leave, actions.leave));
}

function customPeriod(period, actions) {
  const from = h('input', { type: 'date', name: 'from', value: period.from, required: true });
  const to = h('input', { type: 'date', name: 'to', value: period.to, required: true });
  const error = h('span', { class: 'error', role: 'alert' });
  return h('form', { class: 'custom', hidden: period.preset !== 'custom', onsubmit: (e) => {
    e.preventDefault();
    if (from.value > to.value) {
      error.textContent = t.wrongOrder;
      return;
    }
    actions.period({ ...period, preset: 'custom', from: from.value, to: to.value });
  } },
    h('label', {}, h('span', {}, t.from), from), h('label', {}, h('span', {}, t.to), to),
    h('button', { type: 'submit' }, t.apply), error);
}
