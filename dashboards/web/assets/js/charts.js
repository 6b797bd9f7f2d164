// The drawings: plain SVG at the width it is shown at. Colours come from the stylesheet through classes.

import { s, h, uid, responsive } from './dom.js';

/** Round upper ends of an axis: 1, 2, 2.5, 5 × 10^n. Returns {max, step}. */
export function niceScale(max, ticks = 4) {
  if (!(max > 0)) return { max: 1, step: 1 };
  const raw = max / ticks;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((m) => m * power).find((v) => v >= raw - 1e-9));
  return { max: Math.ceil(max / step - 1e-9) * step, step };
}

/**
 * Stacked columns over time. rows: [{parts: [number…], label, axis, reading}]; classes: the class of each part.
 * A reading line above tells the column under the pointer, or the one reached with the arrow keys.
 */
export function columns(rows, { classes, summary, idle, keys, format }) {
  const reading = h('p', { class: 'reading', 'aria-live': 'polite' }, idle);
  const hint = uid('keys');
  let current = -1;
  const box = h('div', { class: 'chart columns', tabindex: '0', role: 'application', 'aria-roledescription': 'chart', 'aria-label': summary, 'aria-describedby': hint });
  const point = (i) => {
    current = i;
    box.querySelectorAll('.col').forEach((c, k) => c.classList.toggle('on', k === i));
    reading.textContent = i < 0 ? idle : rows[i].reading;
  };
  box.addEventListener('keydown', (e) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (move) point(Math.min(rows.length - 1, Math.max(0, current + move)));
    else if (e.key === 'Home') point(0);
    else if (e.key === 'End') point(rows.length - 1);
    else if (e.key === 'Escape') point(-1);
    else return;
    e.preventDefault();
  });
  box.addEventListener('pointerleave', () => point(-1));
  box.addEventListener('blur', () => point(-1));
  responsive(box, (width) => drawColumns(rows, width, classes, format, point));
  return h('figure', { class: 'figure' }, reading, box, h('p', { class: 'sr', id: hint }, keys));
}

function drawColumns(rows, width, classes, format, point) {
  const height = width < 480 ? 180 : 230;
  const scale = niceScale(Math.max(...rows.map((r) => r.parts.reduce((a, b) => a + b, 0))));
  const left = 10 + 7 * String(format(scale.max)).length;
  const [top, bottom] = [8, 26];
  const inner = { w: width - left - 2, h: height - top - bottom };
  const y = (v) => top + inner.h * (1 - v / scale.max);
  const slot = inner.w / rows.length;
  const bar = Math.max(1.5, Math.min(46, slot * (slot < 8 ? 0.8 : 0.68)));
  const out = s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
  for (let v = 0; v <= scale.max + 1e-9; v += scale.step) {
    out.append(s('line', { class: v ? 'grid' : 'axis', x1: left, x2: width, y1: y(v), y2: y(v) }),
      s('text', { class: 'tick', x: left - 8, y: y(v) + 4, 'text-anchor': 'end' }, format(v)));
  }
  const every = Math.max(1, Math.ceil(rows.length / Math.max(2, Math.floor(inner.w / 74))));
  rows.forEach((r, i) => {
    const x = left + slot * i + (slot - bar) / 2;
    const g = s('g', { class: 'col', onpointerenter: () => point(i), onpointerdown: () => point(i) },
      s('rect', { class: 'hit', x: left + slot * i, y: top, width: slot, height: inner.h }));
    let base = 0;
    r.parts.forEach((v, k) => {
      if (v > 0) {
        const last = r.parts.slice(k + 1).every((n) => !n);
        g.append(s('path', { class: classes[k], d: block(x, y(base + v), bar, y(base) - y(base + v), last ? Math.min(3, bar / 3) : 0) }));
      }
      base += v;
    });
    out.append(g);
    if (i % every === 0 && left + slot * (i + 0.5) < width - 20) {
      out.append(s('text', { class: 'tick', x: left + slot * (i + 0.5), y: height - 8, 'text-anchor': 'middle' }, r.axis));
    }
  });
  return out;
}

/** A rectangle whose two upper corners are round. */
function block(x, y, w, h2, r) {
  r = Math.min(r, h2);
  return `M${x} ${y + h2}V${y + r}q0 ${-r} ${r} ${-r}H${x + w - r}q${r} 0 ${r} ${r}V${y + h2}Z`;
}

/** A rate with its interval on a common scale 0..max: a bar from low to high, a dot at the rate. */
export function whisker(rate, low, high, max) {
  const box = h('div', { class: 'chart whisker', 'aria-hidden': 'true' });
  if (rate === null || rate === undefined) return box;
  return responsive(box, (width) => {
    const x = (v) => 5 + (width - 10) * Math.min(1, v / max);
    return s('svg', { width, height: 14, viewBox: `0 0 ${width} 14` },
      s('line', { class: 'grid', x1: 5, x2: width - 5, y1: 7, y2: 7 }),
      low === null || low === undefined ? null : s('line', { class: 'range', x1: x(low), x2: Math.max(x(high), x(low) + 1), y1: 7, y2: 7 }),
      s('circle', { class: 'dot', cx: x(rate), cy: 7, r: 4.5 }));
  });
}

/**
 * One step of the funnel: its bar, split into who went on, who was lost here and the rest, and the taper to the next step's bar.
 * All widths are shares of the first step's carts.
 */
export function funnelStep({ first, carts, on, lost, rest, label, last }) {
  const box = h('div', { class: 'chart funnel-step', role: 'img', 'aria-label': label });
  return responsive(box, (width) => {
    const [bar, height] = [34, last ? 34 : 66];
    const px = (n) => (first > 0 ? (width * n) / first : 0);
    const out = s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
      s('rect', { class: 'track', x: 0, y: 0, width, height: bar, rx: 5 }));
    if (!last) out.append(s('path', { class: 'taper', d: `M0 ${bar}H${px(on)}V${height}H0Z` }));
    let x = 0;
    for (const [cls, n] of [['on', on], ['lost', lost], ['rest', rest]]) {
      if (n > 0) out.append(s('rect', { class: cls, x, y: 0, width: Math.max(1, px(n) - (x + px(n) < px(carts) - 0.5 ? 1.5 : 0)), height: bar, rx: 3 }));
      if (cls === 'lost' && n > 0 && !last) out.append(s('path', { class: 'fall', d: `M${x} ${bar + 3}H${x + Math.max(1, px(n) - 1.5)}L${x + px(n) / 2} ${bar + 3 + Math.min(18, 6 + px(n) / 6)}Z` }));
      x += px(n);
    }
    return out;
  });
}

/** One bar of a whole, in parts: [{n, cls, label}]. */
export function partsBar(parts, label) {
  const total = parts.reduce((a, p) => a + p.n, 0);
  const box = h('div', { class: 'chart parts', role: 'img', 'aria-label': label });
  return responsive(box, (width) => {
    const out = s('svg', { width, height: 28, viewBox: `0 0 ${width} 28`, 'aria-hidden': 'true' });
    let x = 0;
    for (const p of parts.filter((q) => q.n > 0)) {
      const size = (width * p.n) / total;
      out.append(s('rect', { class: p.cls, x, y: 0, width: Math.max(1.5, size - 2), height: 28, rx: 4 }, s('title', {}, p.label)));
      x += size;
    }
    return out;
  });
}

/** A share 0..1 of a line; a plain horizontal bar. */
export function shareBar(share, cls) {
  const box = h('div', { class: 'chart share', 'aria-hidden': 'true' });
  return responsive(box, (width) => s('svg', { width, height: 10, viewBox: `0 0 ${width} 10` },
    s('rect', { class: 'track', x: 0, y: 0, width, height: 10, rx: 5 }),
    share > 0 ? s('rect', { class: cls || 'on', x: 0, y: 0, width: Math.max(3, width * Math.min(1, share)), height: 10, rx: 5 }) : null));
}

/** Wilson score interval (95 %) of k in n: [low, high] (E. B. Wilson, 1927), or [null, null] where n is 0. */
export function wilson(k, n) {
  if (!(n > 0)) return [null, null];
  const z = 1.959963984540054;
  const p = k / n;
  const centre = p + (z * z) / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const base = 1 + (z * z) / n;
  return [Math.max(0, (centre - half) / base), Math.min(1, (centre + half) / base)];
}
