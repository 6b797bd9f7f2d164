// What an event says about the page. Less is sent than the browser knows: of the query only what names a campaign, of the referrer
// only its host.

// Campaign tags and advertisers' click ids, as the collector knows them.
const CAMPAIGN = /^(utm|mtm|pk)_|(clk?id|braid)$|^(sccid|rdt_cid|li_fat_id|igshid|epik|srsltid)$/;

/** Path with the campaign parameters of the query. */
export function pagePath(): string {
  const kept = location.search.slice(1).split('&').filter((part) => CAMPAIGN.test(part.split('=')[0]));
  return location.pathname + (kept.length ? '?' + kept.join('&') : '');
}

/** The site or app that led here, as "https://host/"; nothing for the shop's own pages. */
export function referrer(): string | undefined {
  const site = /^[\w-]+:\/\/[^/]+/.exec(document.referrer);
  return site && site[0] !== location.origin ? site[0] + '/' : undefined;
}

export function language(): string {
  return document.documentElement.lang || navigator.language;
}
