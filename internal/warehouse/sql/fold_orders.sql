-- Folds the orders that a batch touched from their distinct purchases and refunds. The earliest purchase gives time, value and who; as
-- long as only refunds are known there is no order.
INSERT INTO order_facts
    (shop, order_ref, visitor, visitors, customer, cart, time, first_id, currency, value, refunded,
     session, channel, source, medium, campaign, landing_page, device, excluded, version, is_deleted)
WITH
    marked AS (SELECT shop, key AS order_ref FROM touched WHERE batch = {batch:String} AND kind = 'order'),
    orders AS
    (
        SELECT
            shop, order_ref,
            CAST(arraySort(groupArrayIf((time, event_id, visitor, customer, cart, session, has_page, currency, value, channel, source, medium, campaign, device, excluded), NOT refund)),
                'Array(Tuple(time DateTime64(3, ''UTC''), id FixedString(16), visitor UInt64, customer UInt64, cart UInt64, session UInt64, has_page UInt8,
                 currency LowCardinality(String), value Decimal(18, 4), channel LowCardinality(String), source String, medium LowCardinality(String), campaign String,
                 device LowCardinality(String), excluded UInt8))') AS copies,
            -- Of the copies of one event the earliest is the event.
            arrayFilter((x, nth) -> nth = 1, copies, arrayEnumerateUniq(copies.id)) AS p,
            arraySort(groupArrayIf((time, event_id, currency, value), refund)) AS refund_copies,
            arrayFilter((x, nth) -> nth = 1, refund_copies, arrayEnumerateUniq(arrayMap(x -> x.2, refund_copies))) AS refunds,
            groupUniqArray(visitor) AS visitors
        FROM order_events
        WHERE (shop, order_ref) IN marked
        GROUP BY shop, order_ref
        HAVING notEmpty(p)
    ),
    visits AS
    (
        SELECT shop, visitor, arraySort(s -> (s.3, s.4), groupArray((session, fact.1, fact.2, fact.3, fact.4, fact.5, fact.6, fact.7, fact.8))) AS sessions
        FROM
        (
            SELECT shop, visitor, session, argMax((given, start, first_id, channel, source, medium, campaign, landing_page, is_deleted), version) AS fact
            FROM session_facts
            WHERE (shop, visitor) IN (SELECT shop, visitor FROM order_events WHERE (shop, order_ref) IN marked)
            GROUP BY shop, visitor, session
            HAVING NOT fact.9
        )
        GROUP BY shop, visitor
    ),
    attributed AS
    (
        SELECT
            *,
            multiIf(
            p[1].session != 0, arrayFirst(s -> s.2 AND s.1 = p[1].session, sessions),
            p[1].has_page, arrayLast(s -> NOT s.2 AND (s.3, s.4) <= (p[1].time, p[1].id), sessions),
            arrayFirst(s -> 0, sessions)) AS visit
        FROM (SELECT *, p[1].visitor AS visitor FROM orders) AS orders
        LEFT JOIN visits USING (shop, visitor)
    )
SELECT
    shop, order_ref, visitor, arraySort(visitors), p[1].customer, p[1].cart, p[1].time, p[1].id, p[1].currency, p[1].value,
    least(p[1].value, CAST(least(arraySum(r -> if(r.3 = p[1].currency, toDecimal128(r.4, 4), 0), refunds), 90000000000000) AS Decimal(18, 4))),
    visit.1,
    if(visit.1 = 0, p[1].channel, visit.5), if(visit.1 = 0, p[1].source, visit.6), if(visit.1 = 0, p[1].medium, visit.7),
    if(visit.1 = 0, p[1].campaign, visit.8), visit.9, p[1].device,
    arrayExists(x -> x.excluded != 0, p),
    toUInt64(toUnixTimestamp64Nano(now64(9))),
    0
FROM attributed
