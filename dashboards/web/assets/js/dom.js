// Small helpers to build HTML and SVG elements without a framework. Text is always set as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element; props: class, on<event> handlers, dataset, any attribute (false/null: left out). */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, attrs, ...children) {
  return fill(document.createElementNS(SVG, tag), attrs, children);
}

function fill(el, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else if (name === 'value' && 'value' in el) el.value = value;
    else if (name === 'vars') for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v);
    else el.setAttribute(name, value === true ? '' : String(value));
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

/** A sentence whose {strong:…} parts stand out: parts is an array of strings and {strong: string}. */
export function sentence(parts, cls) {
  return h('p', { class: cls }, parts.map((p) => (typeof p === 'string' ? p : h('strong', { class: p.tone || null }, p.strong))));
}

let ids = 0;
/** A document-wide unique id, for labels and descriptions. */
export function uid(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** Draws now and whenever the element's width changes, so that text in drawings keeps its size. draw(width) returns a node. */
export function responsive(el, draw) {
  let last = 0;
  const redraw = () => {
    const width = Math.round(el.clientWidth);
    if (width === last || width === 0) return;
    last = width;
    el.replaceChildren(draw(width));
  };
  new ResizeObserver(redraw).observe(el);
  return el;
}

/** A table that says in figures what a drawing shows; folded away until asked for. */
export function tableAlternative(label, caption, head, rows) {
  return h('details', { class: 'alt' },
    h('summary', {}, label),
    table(caption, head, rows));
}

/** head: [{text, num}], rows: arrays of text or nodes; the first cell of each row is its header. */
export function table(caption, head, rows, cls) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', { class: cls },
      h('caption', { class: 'sr' }, caption),
      h('thead', {}, h('tr', {}, head.map((c) => h('th', { scope: 'col', class: classes(c) }, c.text)))),
      h('tbody', {}, rows.map((r) => h('tr', {}, r.map((cell, i) =>
        (i === 0 ? h('th', { scope: 'row', class: classes(head[i]) }, cell) : h('td', { class: classes(head[i]) }, cell))))))));
}

function classes(column) {
  return [column.num && 'num', column.wide && 'wide'].filter(Boolean).join(' ') || null;
}
