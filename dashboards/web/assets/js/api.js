// The JSON API, as the page uses it.

/** A refused or failed request. type is the API's slug, or "unreachable"; status 0 when there was no answer. */
export class ApiError extends Error {
  constructor(status, type, detail) {
    super(detail || type);
    this.status = status;
    this.type = type;
    this.detail = detail || '';
  }
}

/** Asks one report of a shop. params with null or '' are left out. Throws ApiError; an aborted signal throws AbortError. */
export async function report(access, path, params, signal) {
  const url = new URL(`api/v1/shops/${encodeURIComponent(access.shop)}/${path}`, document.baseURI);
  url.search = url.hash = '';
  for (const [k, v] of Object.entries(params || {})) if (v) url.searchParams.set(k, v);
  let answer;
  try {
    answer = await fetch(url, {
      headers: { Authorization: `Bearer ${access.token}`, Accept: 'application/json' },
      credentials: 'omit', cache: 'no-store', redirect: 'error', signal,
    });
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw new ApiError(0, 'unreachable', '');
  }
  let body = null;
  try {
    body = await answer.json();
  } catch { /* judged below */ }
  if (answer.ok && body) return body;
  throw new ApiError(answer.status, (body && body.type) || `http-${answer.status}`, body && body.detail);
}
