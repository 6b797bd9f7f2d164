// The tag: <script defer src="https://…/kassa.js" data-shop="demo"></script>. It answers to window.kassa(call, …), takes over what was
// called before it was there, and never lets an error of its own reach the page.

import { createTag } from './tag';
import type { Kassa } from './types';

declare global {
  interface Window {
    kassa?: Kassa;
  }
}

function start() {
  const script = (document.currentScript || document.querySelector('script[data-shop][src*="kassa.js"]')) as HTMLScriptElement | null;
  const shop = script && script.getAttribute('data-shop');
  const before = window.kassa;
  if (!script || !shop || (before && before.on) || !window.fetch || !window.crypto) return; // twice on a page, or too old a browser
  const tag = createTag(new URL(script.src).origin, shop);
  const kassa = function (...args: any[]) {
    try {
      const call = args[0];
      if (call === 'event') tag.event(args[1], args[2]);
      else if (call === 'consent') tag.consent(args[1] || {}, args[2]);
      else if (call === 'withdraw') tag.withdraw(args[1]);
      else if (call === 'customer' || call === 'cart' || call === 'contact') tag.ref(call, args[1]);
      else console.warn('kassa: no such call:', call);
    } catch (e) {
      console.warn('kassa:', e);
    }
  } as Kassa;
  kassa.on = true;
  kassa.q = { push: (call) => kassa.apply(null, call as any) };
  window.kassa = kassa;
  tag.resume();
  const early = before && before.q;
  if (Array.isArray(early)) early.forEach((call) => kassa.apply(null, call));
}

try {
  start();
} catch (e) {
  console.warn('kassa:', e);
}
