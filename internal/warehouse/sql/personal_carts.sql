SELECT toJSONString(tuple(
    lower(leftPad(hex(cart), 16, '0')) AS cart,
    first_event, last_activity, purchased_at, step_names AS steps, step_first AS steps_first_seen, currency, value, channel, source, medium, campaign,
    device, language, payment_type, shipping_tier, coupons, error_kinds, receipt_id, marketing)),
    contact, cart_ref
FROM cart_facts FINAL
WHERE shop = {shop:String} AND hasAny(visitors, {visitors:Array(UInt64)})
ORDER BY first_event, cart
