-- Counts carts by breakdown key and by interval, by the steps they showed and what became of them.
-- One row a (grouping, key, bucket, shown, state); the two groupings hold the same carts. Bit i of shown: step i was seen.
WITH
    {steps:Array(String)} AS steps,
    fromUnixTimestamp64Milli({now:Int64}, 'UTC') AS present,
    toIntervalMillisecond({abandon_after_ms:Int64}) AS abandon_after,
    -- The customer that a visitor is known as, where there is just one.
    known AS (SELECT visitor, known_customer FROM sole_customers WHERE shop = {shop:String}),
    carts AS
    (
        SELECT
            cart, c.visitor AS visitor, if(c.customer != 0, c.customer, known_customer) AS customer,
            first_event, last_activity, purchased_at, max_gap_ms, net_quantity, view_cart_items, currency, value, excluded,
            arraySum(name -> bitShiftRight(bitShiftLeft(toUInt64(1), indexOf(steps, name)), 1), step_names) AS shown,
            multiIf({by:String} = 'device', toString(device), {by:String} = 'channel', toString(channel), '') AS key,
            toDate(first_event, {timezone:String}) AS day
        FROM (SELECT * FROM cart_facts FINAL WHERE shop = {shop:String}
              AND first_event >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND first_event < fromUnixTimestamp64Milli({to:Int64}, 'UTC')) AS c
        LEFT JOIN known ON known.visitor = c.visitor
    ),
    -- Who bought when, once under the visitor and once under the customer: pseudonyms of the two kinds never meet.
    purchases AS
    (
        SELECT
            arrayJoin(if(who.2 = 0, [who.1], [who.1, who.2])) AS person,
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
            SELECT cart, last_activity, arrayJoin(if(customer = 0, [visitor], [visitor, customer])) AS person
            FROM carts
            WHERE purchased_at IS NULL AND {superseded_within_ms:Int64} > 0
        ) AS idle
        ASOF INNER JOIN purchases ON purchases.person = idle.person AND purchases.at > idle.last_activity
        WHERE purchases.at <= idle.last_activity + toIntervalMillisecond({superseded_within_ms:Int64})
    ),
    judged AS
    (
        SELECT
            key,
            multiIf({interval:String} = '', toDate(0), {interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket,
            shown, currency, value,
            multiIf(
                excluded, 'excluded',
                purchased_at IS NOT NULL, if(max_gap_ms > {abandon_after_ms:Int64}, 'recovered', 'purchased'),
                ifNull(view_cart_items = 0, 0) OR ifNull(net_quantity <= 0, 0), 'emptied',
                cart IN superseded, 'superseded',
                last_activity + abandon_after >= present, 'open',
                'abandoned') AS state
        FROM carts
    )
SELECT
    if(grouping(key) = 0, 'key', 'bucket') AS over,
    key,
    bucket,
    shown,
    state,
    -- What an abandoned cart was worth; of the others nobody asks.
    if(state = 'abandoned' AND value IS NOT NULL, toString(currency), '') AS in_currency,
    count() AS carts,
    sum(value) AS worth
FROM judged
GROUP BY GROUPING SETS ((key, shown, state, in_currency), (bucket, shown, state, in_currency))
ORDER BY over, key, bucket, shown, state, in_currency
