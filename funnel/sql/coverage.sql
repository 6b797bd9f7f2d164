-- How much of what happened in the shop the figures rest on, by interval (one row where there is none).
WITH
    fromUnixTimestamp64Milli({from:Int64}, 'UTC') AS since, -- not begin and end: session_facts has a column end, which would win
    fromUnixTimestamp64Milli({to:Int64}, 'UTC') AS until,
    seen AS
    (
        SELECT toDate(start, {timezone:String}) AS day, 1 AS session, 0 AS ordered, excluded
        FROM session_facts FINAL
        WHERE shop = {shop:String} AND start >= since AND start < until
        UNION ALL
        SELECT toDate(time, {timezone:String}) AS day, 0 AS session, 1 AS ordered, excluded
        FROM order_facts FINAL
        WHERE shop = {shop:String} AND time >= since AND time < until
    )
SELECT
    multiIf({interval:String} = '', toDate(0), {interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket,
    sum(session) AS sessions,
    sumIf(ordered, NOT excluded) AS orders,
    sumIf(ordered, excluded) AS excluded_orders
FROM seen
GROUP BY bucket
ORDER BY bucket
