// How to put the tag into a shop: shown by itself while nothing has been measured yet, and on request.

import { h } from '../dom.js';
import { w } from '../words.js';

const t = w.setup;
const ADDRESS = 'kassa.publicURL';

/** The public listener's address: as configured, as typed here before, or port 8080 of this host. */
function publicURL() {
  const configured = document.querySelector('meta[name="kassa-public-url"]').content;
  let typed = '';
  try {
    typed = localStorage.getItem(ADDRESS) || '';
  } catch { /* not kept */ }
  return configured || typed || `${location.protocol}//${location.hostname}:8080`;
}

export function tagLine(base, shop) {
  return `<script defer src="${base.replace(/\/+$/, '')}/kassa.js" data-shop="${shop}"></script>`;
}

/** actions: {check, back}; either may be left out. empty: nothing was ever measured. */
export function setup(shop, { check, back, empty }) {
  const line = code(tagLine(publicURL(), shop), 'tag');
  const address = h('input', { id: 'address', type: 'url', value: publicURL(), spellcheck: 'false', oninput: (e) => {
    line.set(tagLine(e.target.value.trim(), shop));
    try {
      localStorage.setItem(ADDRESS, e.target.value.trim());
    } catch { /* not kept */ }
  } });
  return h('section', { class: 'card setup', 'aria-labelledby': 'setup-h' },
    h('header', { class: 'card-head' }, h('h2', { id: 'setup-h' }, empty ? t.headingEmpty : t.heading)),
    empty ? h('p', { class: 'answer small' }, t.lead) : null,
    h('ol', { class: 'how' },
      h('li', {}, h('h3', {}, t.one), h('label', { class: 'field' }, h('span', {}, t.address), address, h('small', {}, t.addressHint)), line.node),
      h('li', {}, h('h3', {}, t.two), h('p', {}, t.twoText), code(CONSENT).node),
      h('li', {}, h('h3', {}, t.three), h('p', {}, t.threeText), code(EVENTS).node),
      h('li', {}, h('h3', {}, t.tryIt), h('p', {}, rich(t.tryText)), h('p', {}, rich(t.origin)))),
    h('div', { class: 'actions' },
      check ? h('button', { class: 'primary', onclick: check }, t.check) : null,
      back ? h('button', { onclick: back }, t.back) : null));
}

const CONSENT = `window.kassa = window.kassa || function () { (kassa.q = kassa.q || []).push(arguments) };
kassa('consent', { analytics: true, marketing: false }, { notice: '2026-11', source: 'banner' });`;

const EVENTS = `kassa('cart', 'the cart’s own id');
kassa('event', 'add_to_cart', { currency: 'EUR', value: '24.50',
  items: [{ id: 'SKU-1', name: 'Glass', price: '12.25', quantity: 2 }] });
kassa('event', 'begin_checkout', { currency: 'EUR', value: '24.50' });
kassa('event', 'add_shipping_info', { shipping: '6.95', shipping_tier: 'home' });
kassa('event', 'add_payment_info', { payment_type: 'card' });
kassa('event', 'purchase', { order: '1001', currency: 'EUR', value: '24.50' });`;

function rich(parts) {
  return parts.map((p) => (typeof p === 'string' ? p : h('code', {}, p.code)));
}

function code(text, key) {
  const body = h('code', { 'data-figure': key || null }, text);
  const button = h('button', { class: 'copy', type: 'button' }, t.copy);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(body.textContent);
      button.textContent = t.copied;
    } catch {
      getSelection().selectAllChildren(body);
      button.textContent = t.copyFailed;
    }
    setTimeout(() => { button.textContent = t.copy; }, 2500);
  });
  return { node: h('div', { class: 'code' }, h('pre', { tabindex: '0' }, body), button), set: (x) => { body.textContent = x; } };
}
