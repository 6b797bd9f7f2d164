// English texts of the owner's page. Functions get figures that are already formatted, and numbers where a plural depends on them.

const s = (n, one, many) => (n === 1 ? one : many);

const steps = {
  add_to_cart: ['Filled a cart', 'after filling a cart, before starting the checkout'],
  view_cart: ['Viewed the cart', 'on the cart page'],
  begin_checkout: ['Began checkout', 'right after starting the checkout'],
  add_contact_info: ['Gave contact details', 'after giving contact details'],
  add_shipping_info: ['Chose delivery', 'after choosing delivery'],
  add_payment_info: ['Chose payment', 'after choosing how to pay'],
  purchase: ['Purchased', 'after the purchase'],
};

const readable = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');

export default {
  locale: 'en-GB',
  title: (shop) => (shop ? `${shop} – Kassa` : 'Kassa'),
  units: { second: 's', minute: 'min', hour: 'h', day: 'd', points: 'pt' },
  skip: 'Skip to the figures',

  access: {
    heading: 'Your shop’s figures',
    lead: 'Who your customers are, how they came, and where they give up. Measured on your own server, from visitors who said yes.',
    shop: 'Shop',
    shopHint: 'the id in your configuration, such as demo',
    token: 'Access token',
    tokenHint: 'made by kassa token new --role owner',
    show: 'Show', hide: 'Hide',
    open: 'Open the page',
    kept: 'Kept in this browser tab only, and gone when you close it.',
    incomplete: 'Fill in both the shop and the token.',
  },

  errors: {
    'invalid-token': 'This token is not known here. Check that it is complete and has not expired, or make a new one with kassa token new.',
    forbidden: (shop) => `This token may not see the reports of shop “${shop}”. Use a token with the role owner or marketing that belongs to this shop.`,
    'unknown-shop': (shop) => `There is no shop “${shop}” in the configuration. Check the spelling of its id.`,
    'rate-limited': 'Too many requests at once. Wait a moment and try again.',
    'not-durable': 'Kassa is busy or shutting down. Try again in a moment.',
    unreachable: 'Kassa does not answer. Check that kassa serve is running and that you can reach it.',
    other: (status, detail) => `The report could not be made (${status}). ${detail || 'Kassa’s log says more.'}`,
    heading: 'No figures just now',
    retry: 'Try again',
  },

  bar: {
    period: 'Period',
    presets: { today: 'Today', 7: '7 days', 30: '30 days', 90: '90 days', custom: 'Custom' },
    from: 'From', to: 'To', apply: 'Apply',
    wrongOrder: 'The first day must not lie after the last.',
    compare: 'Compare with the days before',
    refresh: 'Refresh', print: 'Print', setup: 'Set up', leave: 'Change shop',
    shop: 'Shop', menu: 'More',
    asOf: (time, zone) => `as of ${time} (${zone})`,
    against: (span) => `compared with ${span}`,
    loading: 'Fetching the figures…',
    sections: 'On this page',
  },

  coverage: {
    heading: 'What these figures cover',
    nav: 'Coverage',
    ratio: (p) => `covers ${p} of orders`,
    noBook: 'consenting visitors only',
    lead: (p, measured, total) => ['These figures come from visitors who gave consent. They cover ', { strong: p }, ` of your orders: ${measured} of ${total}.`],
    leadNoBook: ['These figures come from visitors who gave consent. ', { strong: 'Which share of all your orders that is, is not known yet:' }, ' Kassa has not been given an order book of the shop.'],
    orders: 'Orders measured',
    ordersTotal: 'Orders in the order book',
    sessions: 'Sessions with consent',
    unconsented: 'Page views without consent',
    unconsentedHint: 'only counted, nothing about the visitor is kept',
    meter: 'Share of orders that is measured',
    decisions: 'Said yes to', decisionsHint: (yes, all) => `${yes} of ${all} decisions`,
    purposes: { analytics: 'Analytics', marketing: 'Marketing' },
  },

  customers: {
    nav: 'Customers',
    question: 'How many customers do I really have?',
    answer: (n, fresh, returning, count) => [
      { strong: `${count(n)} ${s(n, 'customer', 'customers')}` }, ' placed an order',
      returning === 0 ? s(n, ', for the first time.', ', all for the first time.')
        : fresh === 0 ? s(n, ', not for the first time.', ', none of them for the first time.')
          : `: ${count(fresh)} for the first time, ${count(returning)} came back.`],
    none: 'Nobody placed an order in this period.',
    customers: 'Customers', new: 'New', returning: 'Returning', orders: 'Orders',
    perCustomer: 'Orders per customer', repeat: 'Repeat rate', repeatHint: 'customers with two orders or more',
    revenue: 'Revenue', revenueHint: 'after refunds', average: 'Average order',
    concentration: (half, n, count) => ['Half of your revenue comes from ', { strong: `${count(half)} of ${count(n)} customers` }, '.'],
    oneCustomer: ['All revenue comes from ', { strong: 'one customer' }, '.'],
    top: (p) => `the top 10% bring ${p}`,
    largest: (p) => `the largest one ${p}`,
    ofCustomers: 'of customers', ofRevenue: 'of revenue', half: 'half',
    series: { day: 'Customers per day', week: 'Customers per week', month: 'Customers per month' },
    seriesHint: 'Somebody who orders in two of these counts in both.',
    start: { day: 'Day', week: 'Week from', month: 'Month' },
    reading: (when, all, fresh, returning, orders, revenue) => `${when}: ${all} customers (${fresh} new, ${returning} returning), ${orders} orders, ${revenue}`,
    keys: 'Use the arrow keys to read each bar.',
  },

  acquisition: {
    nav: 'Origin',
    question: 'How did they come?',
    answer: (channel, p) => [{ strong: channel }, ' brought the most new customers: ', { strong: p }, ' of them.'],
    none: 'No new customers in this period.',
    byChannel: 'New customers by channel',
    initiatives: 'Initiatives that brought them', initiative: 'Initiative',
    by: 'Group by', channel: 'Channel', source: 'Source', medium: 'Medium', campaign: 'Campaign', all: 'Each initiative',
    newCustomers: 'New customers', share: 'Share', revenue: 'Their revenue',
    more: (n) => `Show ${n} more`,
    names: { '(direct)': 'Direct', '(none)': 'None', '(not set)': 'Not set', '': 'Not set' },
  },

  checkout: {
    nav: 'Checkout',
    question: 'Where do they give up?',
    answer: (abandoned, n, where, count) => [
      'Most carts are lost ', { strong: where, tone: 'loss' }, `: ${count(abandoned)} of ${count(n)}.`],
    rateOfMost: (p, range) => [{ strong: p }, ` of the carts that get that far are lost there (95% certain: between ${range}). `],
    steepest: (label, p, range) => ['The steepest step is ', { strong: label, tone: 'loss' }, `, where ${p} of the carts end (between ${range}).`],
    next: (label, p, range) => ['Next comes ', { strong: label }, `, where ${p} end (between ${range}).`],
    noLoss: 'No cart was left behind in this period.',
    none: 'Nobody filled a cart in this period.',
    left: 'Value left in carts', leftHint: (n, count) => `in ${count(n)} abandoned ${s(n, 'cart', 'carts')}`,
    rate: 'Abandonment', rateHint: (a, n) => `${a} of ${n} decided carts`,
    carts: 'Carts', purchased: 'Ended in a purchase', purchasedHint: (n) => `${n} of them came back for it`,
    funnel: 'Step by step',
    step: 'Step', reached: 'Reached', ofFirst: 'Of first', ofPrevious: 'Of previous', skipped: 'Skipped', abandoned: 'Abandoned here', abandonment: 'Abandonment', interval: '95% interval', toNextStep: 'Time to next step',
    rowRate: 'leave here', of: (p) => `${p} of all carts`, toNext: ' to the next step', skippedBy: (n) => `${n} skipped it`,
    bar: (label, carts, on, lost, rest) => `${label}: ${carts} carts; ${on} went on, ${lost} abandoned here, ${rest} open, emptied or superseded`,
    legend: { on: 'went on', lost: 'abandoned here', rest: 'open, emptied or superseded' },
    whisker: 'The bar is the 95% interval, the dot the rate.',
    whereStands: 'What became of the carts',
    states: {
      purchased: ['Purchased', 'bought without a long pause'],
      recovered: ['Recovered', 'left, came back and bought'],
      open: ['Open', 'still active'],
      abandoned: ['Abandoned', 'left behind'],
      emptied: ['Emptied', 'nothing left in them'],
      superseded: ['Superseded', 'bought through another cart'],
    },
    byDevice: 'By device', byChannel: 'By channel', device: 'Device', channel: 'Channel', value: 'Value left',
    devices: { desktop: 'Desktop', mobile: 'Mobile', tablet: 'Tablet', other: 'Other', '': 'Unknown' },
    label: (step) => (steps[step] ? steps[step][0] : readable(step)),
    where: (step) => (steps[step] ? steps[step][1] : `after “${readable(step)}”`),
  },

  table: 'Show as a table',
  vs: (text) => `${text} against the days before`,
  unavailable: 'This part is not available just now.',

  empty: {
    heading: 'Nothing measured in this period',
    text: 'There are figures for other days. Choose a longer period.',
  },

  setup: {
    heading: 'Set up your shop',
    headingEmpty: 'Almost there: put the tag into your shop',
    lead: 'No visit has been measured yet. A few minutes’ work, then this page fills by itself.',
    address: 'Public address of Kassa',
    addressHint: 'where your visitors’ browsers reach it: the public listener, over https in a real shop',
    one: 'Paste this line into every page of the shop, inside <head>',
    two: 'Tell it what the visitor chose',
    twoText: 'Nothing is stored or sent before this call. Call it from your consent banner, with true only for what was accepted:',
    three: 'Tell it what happens at the checkout',
    threeText: 'Page views are measured by themselves. Call these where your shop does the same things:',
    tryIt: 'Try it',
    tryText: ['Open your shop in a new window, accept its banner and put something into the cart (or paste the calls above into the browser’s console, F12). The network tab shows a request to ', { code: '/v1/events' }, ' answered 202; the visit appears here, under Today, within five seconds.'],
    origin: ['Nothing arrives? The shop’s address must stand in ', { code: 'origins' }, ' of the configuration, spelled as in the address bar (', { code: 'https://shop.example' }, ').'],
    copy: 'Copy', copied: 'Copied', copyFailed: 'Select and copy',
    check: 'Look again', back: 'Back to the figures',
    waiting: 'Waiting for the first visit…',
  },
};
