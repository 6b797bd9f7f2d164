// Figures in words: numbers, ratios, money, durations and dates in the page's language. null is always "–".

import { w } from './words.js';

export const NONE = '–';
const locale = w.locale;
const cache = new Map();

function nf(options) {
  const key = JSON.stringify(options);
  if (!cache.has(key)) cache.set(key, new Intl.NumberFormat(locale, options));
  return cache.get(key);
}

const missing = (x) => x === null || x === undefined || Number.isNaN(x);

export const count = (n) => (missing(n) ? NONE : nf({ maximumFractionDigits: 0 }).format(n));
export const decimal = (n) => (missing(n) ? NONE : nf({ minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(n));

/** A ratio 0..1 as a percentage, with one decimal unless told otherwise. */
export function percent(x, digits = 1) {
  if (missing(x)) return NONE;
  return nf({ style: 'percent', minimumFractionDigits: x === 0 || x === 1 ? 0 : digits, maximumFractionDigits: digits }).format(x);
}

/** low–high of an interval, "25.1–31.9%". */
export function interval(low, high) {
  if (missing(low) || missing(high)) return NONE;
  return `${nf({ minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(low * 100)}–${percent(high)}`;
}

/** A decimal string in a currency, exact: it never becomes a float. whole: without minor units from 100 upwards. */
export function money(amount, currency, whole = false) {
  if (missing(amount)) return NONE;
  const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };
  try {
    return nf(whole && Math.abs(Number(amount)) >= 100 ? { ...style, maximumFractionDigits: 0 } : style).format(amount);
  } catch {
    return `${amount} ${currency}`;
  }
}

/** Amounts by currency, {EUR: "…"}, largest first; never added together. */
export function amounts(byCurrency, whole = true) {
  return Object.entries(byCurrency || {}).sort((a, b) => Number(b[1]) - Number(a[1]))
    .map(([currency, amount]) => ({ currency, amount, text: money(amount, currency, whole) }));
}

/** Amounts by currency on one line. */
export function moneyLine(byCurrency) {
  const all = amounts(byCurrency);
  return all.length ? all.map((a) => a.text).join(' + ') : NONE;
}

/** Seconds as the largest two units that matter: "45 s", "3 min 20 s", "2 h 5 min", "3 d". */
export function duration(seconds) {
  if (missing(seconds)) return NONE;
  const t = Math.round(seconds);
  const [d, hr, m, sec] = [Math.floor(t / 86400), Math.floor(t / 3600) % 24, Math.floor(t / 60) % 60, t % 60];
  const part = (n, unit) => (n ? `${n} ${w.units[unit]}` : '');
  if (d) return [part(d, 'day'), part(hr, 'hour')].filter(Boolean).join(' ');
  if (hr) return [part(hr, 'hour'), part(m, 'minute')].filter(Boolean).join(' ');
  if (m) return [part(m, 'minute'), m < 10 ? part(sec, 'second') : ''].filter(Boolean).join(' ');
  return `${sec} ${w.units.second}`;
}

const dateFormats = {
  day: { day: 'numeric', month: 'short' },
  weekday: { weekday: 'short', day: 'numeric', month: 'short' },
  month: { month: 'short', year: 'numeric' },
  full: { day: 'numeric', month: 'short', year: 'numeric' },
};

/** A date "2026-11-03" (or the date part of a time); these are the shop's days, so no zone is applied. */
export function date(text, style = 'full') {
  return new Intl.DateTimeFormat(locale, { ...dateFormats[style], timeZone: 'UTC' }).format(new Date(`${text.slice(0, 10)}T00:00:00Z`));
}

/** The span of a period, "1 – 30 Nov 2026". */
export function span(from, to) {
  const f = new Intl.DateTimeFormat(locale, { ...dateFormats.full, timeZone: 'UTC' });
  return f.formatRange(new Date(`${from}T00:00:00Z`), new Date(`${to}T00:00:00Z`));
}

/** A moment as the shop's clock time. */
export function clock(time, timezone) {
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', day: 'numeric', month: 'short', timeZone: timezone }).format(new Date(time));
}

/** A change against before: {text, sign} or null where there is nothing to compare. points: ratios change by percentage points. */
export function change(now, before, points = false) {
  if (missing(now) || missing(before)) return null;
  if (points) {
    const d = (Number(now) - Number(before)) * 100;
    const text = nf({ maximumFractionDigits: 1, signDisplay: 'exceptZero' }).format(d);
    return { text: `${text} ${w.units.points}`, sign: Math.abs(d) < 0.05 ? 0 : Math.sign(d) };
  }
  if (Number(before) === 0) return null;
  const ratio = (Number(now) - Number(before)) / Math.abs(Number(before));
  const digits = Math.abs(ratio) < 0.1 ? 1 : 0;
  return { text: nf({ style: 'percent', maximumFractionDigits: digits, signDisplay: 'exceptZero' }).format(ratio), sign: Math.abs(ratio) < 0.0005 ? 0 : Math.sign(ratio) };
}
