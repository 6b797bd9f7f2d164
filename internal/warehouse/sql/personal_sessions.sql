SELECT toJSONString(tuple(
    start, end, landing_page, referrer, channel, source, medium, campaign, toString(device) AS device, toString(language) AS language, page_views, events,
    lower(leftPad(hex(session), 16, '0')) AS session)), '', ''
FROM session_facts FINAL
WHERE shop = {shop:String} AND visitor IN {visitors:Array(UInt64)}
ORDER BY start, session
