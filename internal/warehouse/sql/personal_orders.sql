SELECT toJSONString(tuple(
    lower(leftPad(hex(order_ref), 16, '0')) AS order_ref,
    time, currency, value, refunded, channel, source, medium, campaign, device,
    if(customer = 0, '', lower(leftPad(hex(customer), 16, '0'))) AS customer)), '', ''
FROM order_facts FINAL
WHERE shop = {shop:String} AND hasAny(visitors, {visitors:Array(UInt64)})
ORDER BY time, order_ref
