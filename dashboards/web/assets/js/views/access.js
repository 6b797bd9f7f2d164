// The form that asks for the shop and its token, once.

import { h } from '../dom.js';
import { w } from '../words.js';
import { logo } from './bar.js';

const t = w.access;

/** known: {shop} to fill in; problem: a sentence about the last try, or ''. open(access) is called with what was typed. */
export function accessForm(known, problem, open) {
  const error = h('p', { class: 'error', role: 'alert', id: 'access-error' }, problem || '');
  const shop = h('input', { id: 'shop', name: 'shop', required: true, autocomplete: 'organization', autocapitalize: 'none', spellcheck: 'false', value: (known && known.shop) || '', 'aria-describedby': 'shop-hint access-error' });
  const token = h('input', { id: 'token', name: 'token', type: 'password', required: true, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'token-hint access-error' });
  const show = h('button', { type: 'button', class: 'link', 'aria-pressed': 'false', onclick: () => {
    const hidden = token.type === 'password';
    token.type = hidden ? 'text' : 'password';
    show.textContent = hidden ? t.hide : t.show;
    show.setAttribute('aria-pressed', String(hidden));
  } }, t.show);
  const form = h('form', { class: 'access', novalidate: true, onsubmit: (e) => {
    e.preventDefault();
    const access = { shop: shop.value.trim(), token: token.value.trim() };
    if (!access.shop || !access.token) {
      error.textContent = t.incomplete;
      (access.shop ? token : shop).focus();
      return;
    }
    open(access);
  } },
    h('label', { class: 'field', for: 'shop' }, h('span', {}, t.shop), shop, h('small', { id: 'shop-hint' }, t.shopHint)),
    h('label', { class: 'field', for: 'token' }, h('span', {}, t.token), h('span', { class: 'with-button' }, token, show), h('small', { id: 'token-hint' }, t.tokenHint)),
    error,
    h('button', { class: 'primary', type: 'submit' }, t.open),
    h('p', { class: 'hint' }, t.kept));
  const node = h('main', { class: 'gate' },
    h('div', { class: 'gate-text' }, logo(), h('h1', {}, t.heading), h('p', {}, t.lead)),
    form);
  return { node, focus: () => (shop.value ? token : shop).focus() };
}
