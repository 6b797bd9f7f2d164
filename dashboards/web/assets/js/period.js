// The period that is looked at. It stands in the address's query, so that a reload or a bookmark keeps it; dates are the shop's.

const DAY = 86400000;
export const PRESETS = ['today', '7', '30', '90', 'custom'];
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Reads {preset, from, to, compare} from the address. */
export function read() {
  const q = new URLSearchParams(location.search);
  const from = q.get('from') || '';
  const to = q.get('to') || '';
  const compare = q.get('compare') !== 'none';
  if (DATE.test(from) && DATE.test(to) && from <= to) return { preset: 'custom', from, to, compare };
  const preset = q.get('period') || '30';
  return { preset: PRESETS.includes(preset) && preset !== 'custom' ? preset : '30', from: '', to: '', compare };
}

/** Writes it back into the address. */
export function write(p) {
  const q = new URLSearchParams();
  if (p.preset === 'custom') {
    q.set('from', p.from);
    q.set('to', p.to);
  } else if (p.preset !== '30') q.set('period', p.preset);
  if (!p.compare) q.set('compare', 'none');
  const text = q.toString();
  history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''));
}

/** The request parameters: from, to, compare, interval. "Last N days" are N full days, so they end yesterday. */
export function params(p, timezone) {
  let { from, to } = p;
  if (p.preset === 'today') from = to = today(timezone);
  else if (p.preset !== 'custom') {
    to = plusDays(today(timezone), -1);
    from = plusDays(to, 1 - Number(p.preset));
  }
  const days = daysBetween(from, to) + 1;
  return { from, to, compare: p.compare ? 'previous' : '', interval: days <= 45 ? 'day' : days <= 200 ? 'week' : 'month' };
}

/** Today's date in an IANA time zone. */
export function today(timezone) {
  return new Intl.DateTimeFormat('en-CA', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date());
}

export function plusDays(date, n) {
  return new Date(Date.parse(`${date}T00:00:00Z`) + n * DAY).toISOString().slice(0, 10);
}

export function daysBetween(from, to) {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY);
}
