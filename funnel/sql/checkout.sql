-- Counts carts by breakdown key and by interval, by their furthest step and what became of them.
-- One row a (grouping, key, bucket, furthest, state); the two groupings hold the same carts.
WITH
    {steps:Array(String)} AS steps,
    fromUnixTimestamp64Milli({now:Int64}, 'UTC') AS present,
    toIntervalMillisecond({abandon_after_ms:Int64}) AS abandon_after,
    -- The customer that a visitor is known as, where there is just one.
    known AS
    (
        SELECT visitor, any(customer) AS known_customer
        FROM identities
        WHERE shop = {shop:String}
        GROUP BY visitor
        HAVING uniqExact(customer) = 1
    ),
    carts AS
    (
        SELECT
            cart, c.visitor AS visitor, if(c.customer != 0, c.customer, known_customer) AS customer,
            first_event, last_activity, purchased_at, max_gap_ms, net_quantity, view_cart_items, currency, value, excluded,
            step_names,
            arrayMax(arrayMap(name -> indexOf(steps, name), step_names)) AS furthest,
            multiIf({by:String} = 'device', toString(device), {by:String} = 'channel', toString(channel), '') AS key,
            toDate(first_event, {timezone:String}) AS day
        FROM (SELECT * FROM cart_facts FINAL WHERE shop = {shop:String}
              AND first_event >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND first_event < fromUnixTimestamp64Milli({to:Int64}, 'UTC')) AS c
        LEFT JOIN known ON known.visitor = c.visitor
    ),
    -- Who bought when, once under the visitor and once under the customer.
    purchases AS
    (
        SELECT
            arrayJoin(if(who.2 = 0, [(0, who.1)], [(0, who.1), (1, who.2)])) AS person,
            at
        FROM
        (
            SELECT (p.visitor, if(p.customer != 0, p.customer, known_customer)) AS who, assumeNotNull(purchased_at) AS at
            FROM (SELECT visitor, customer, purchased_at FROM cart_facts FINAL WHERE shop = {shop:String} AND purchased_at IS NOT NULL AND NOT excluded
                  AND purchased_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')) AS p
            LEFT JOIN known ON known.visitor = p.visitor
        )
    ),
    -- Carts left behind by someone who bought through another one soon after.
    superseded AS
    (
        SELECT DISTINCT cart
        FROM
        (
            SELECT cart, last_activity, arrayJoin(if(customer = 0, [(0, visitor)], [(0, visitor), (1, customer)])) AS person
            FROM carts
            WHERE purchased_at IS NULL AND {superseded_within_ms:Int64} > 0
        ) AS idle
        ASOF INNER JOIN purchases ON purchases.person = idle.person AND purchases.at > idle.last_activity
        WHERE purchases.at <= idle.last_activity + toIntervalMillisecond({superseded_within_ms:Int64})
    )
SELECT
    if(grouping(key) = 0, 'key', 'bucket') AS over,
    key,
    multiIf({interval:String} = '', toDate(0), {interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket,
    furthest,
    multiIf(
        excluded, 'excluded',
        purchased_at IS NOT NULL, if(max_gap_ms > {abandon_after_ms:Int64}, 'recovered', 'purchased'),
        ifNull(view_cart_items = 0, 0) OR ifNull(net_quantity <= 0, 0), 'emptied',
        cart IN superseded, 'superseded',
        last_activity + abandon_after >= present, 'open',
        'abandoned') AS state,
    count() AS carts,
    sumForEach(arrayMap((step, number) -> toUInt64(number < furthest AND NOT has(step_names, step)), steps, arrayEnumerate(steps))) AS skipped,
    sumMap(if(value IS NULL, map(), map(toString(currency), assumeNotNull(value)))) AS value_by_currency
FROM carts
GROUP BY GROUPING SETS ((key, furthest, state), (bucket, furthest, state))
ORDER BY over, key, bucket, furthest, state
