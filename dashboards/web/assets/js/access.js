// Who may see what: the shop and the token, asked once and kept for this browser tab only.

const KEY = 'kassa.access';

/** Takes #shop=…&token=… from the address bar once, and removes it there before anything else can read or log it. */
export function takeFragment() {
  const params = new URLSearchParams(location.hash.slice(1));
  if (!params.has('token')) return;
  history.replaceState(null, '', location.pathname + location.search);
  const token = (params.get('token') || '').trim();
  const shop = (params.get('shop') || '').trim();
  if (token && shop) save({ shop, token });
  else if (token) save({ shop: '', token });
}

/** {shop, token} or null. */
export function load() {
  try {
    const a = JSON.parse(sessionStorage.getItem(KEY) || 'null');
    return a && a.token ? a : null;
  } catch {
    return memory;
  }
}

let memory = null; // where sessionStorage is blocked: as long as the page is open

export function save(access) {
  memory = access;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(access));
  } catch { /* kept in memory */ }
}

export function forget() {
  memory = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch { /* nothing was kept */ }
}
