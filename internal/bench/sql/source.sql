-- The very rows that were delivered, in the columns that the writer sends.
CREATE TABLE source ENGINE = MergeTree ORDER BY tuple() AS
SELECT
    toString(shop) AS shop, event_id, toString(name) AS name, toUnixTimestamp64Milli(time) AS time, toUnixTimestamp64Milli(received) AS received,
    visitor, session, cart, order_ref, customer, receipt_id, toUnixTimestamp64Milli(given_at) AS given_at, toString(basis) AS basis, marketing, toString(wire) AS wire, cart_event,
    page, title, toString(language) AS language, referrer, source, toString(medium) AS medium, campaign, term, content, toString(channel) AS channel,
    toString(device) AS device, toString(browser) AS browser, toString(os) AS os, toString(currency) AS currency,
    toInt64(value * 10000) AS value, toInt64(shipping * 10000) AS shipping, toInt64(tax * 10000) AS tax, toInt64(fees * 10000) AS fees, toInt64(discount * 10000) AS discount,
    coupon, toString(payment_type) AS payment_type, toString(shipping_tier) AS shipping_tier, toString(error_kind) AS error_kind, error_detail,
    arrayFlatten(arrayMap((id, n, c, v, p, q) -> [id, n, toString(c), v, ifNull(toString(toInt64(p * 10000)), ''), toString(q)], items.id, items.name, items.category, items.variant, items.price, items.quantity)) AS items,
    contact, cart_ref, excluded
FROM kassa.events
