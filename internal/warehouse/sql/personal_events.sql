SELECT toJSONString(tuple(
    time, received, name, page, title, language, referrer, source, medium, campaign, term, content, channel, device, browser, os,
    currency, value, shipping, tax, fees, discount, coupon, payment_type, shipping_tier, error_kind, error_detail,
    items.id AS item_ids, items.name AS item_names, items.category AS item_categories, items.variant AS item_variants, items.price AS item_prices, items.quantity AS item_quantities,
    receipt_id, given_at, basis, wire,
    if(session = 0, '', lower(leftPad(hex(session), 16, '0'))) AS session,
    if(cart = 0, '', lower(leftPad(hex(cart), 16, '0'))) AS cart,
    if(order_ref = 0, '', lower(leftPad(hex(order_ref), 16, '0'))) AS order_ref,
    if(customer = 0, '', lower(leftPad(hex(customer), 16, '0'))) AS customer)),
    contact, cart_ref
FROM events FINAL
WHERE shop = {shop:String} AND visitor IN {visitors:Array(UInt64)}
ORDER BY time, event_id
