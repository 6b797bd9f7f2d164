-- Folds the carts that a batch touched from their distinct events.
--
-- A given cart is one cart, whoever's events are in it. A visitor's cart events without a cart id are one cart up to and including a
-- purchase, or to a gap of more than 30 days; such a cart is called by the hash of its first event's id. Carts of that kind that late
-- events have rearranged away get a tombstone.
INSERT INTO cart_facts
    (shop, cart, given, visitor, visitors, customer, first_event, first_id, last_activity, purchased_at, order_ref, max_gap_ms, max_gap_end,
     step_names, step_first, step_count, net_quantity, view_cart_items, currency, value, extra_costs,
     session, channel, source, medium, campaign, landing_page, device, language, payment_type, shipping_tier, coupons, error_kinds,
     receipt_id, marketing, contact, cart_ref, excluded, events, version, is_deleted)
WITH
    given_marks AS (SELECT shop, key AS cart FROM touched WHERE batch = {batch:String} AND kind = 'cart'),
    own_marks AS (SELECT shop, toUInt64(0) AS cart, key AS visitor FROM touched WHERE batch = {batch:String} AND kind = 'own_cart'),
    marked AS
    (
        SELECT shop, cart, toUInt64(0) AS owner, * EXCEPT (shop, cart) FROM cart_events WHERE (shop, cart) IN given_marks
        UNION ALL
        SELECT shop, cart, visitor AS owner, * EXCEPT (shop, cart) FROM cart_events WHERE (shop, cart, visitor) IN own_marks
    ),
    known AS
    (
        SELECT shop, toUInt64(0) AS cart, visitor AS owner, groupArray((cart_facts.cart, first_event)) AS old
        FROM cart_facts FINAL
        WHERE NOT given AND visitor IN (SELECT visitor FROM own_marks) AND (shop, visitor) IN (SELECT shop, visitor FROM own_marks)
        GROUP BY shop, owner
    ),
    streams AS
    (
        SELECT
            shop, cart, owner,
            CAST(arraySort(groupArray((
                time, event_id, name, visitor, session, has_page, customer, order_ref, quantity, lines, amount, currency, value, shipping, tax, fees,
                coupon, payment_type, shipping_tier, error_kind, channel, source, medium, campaign, device, language, receipt_id, marketing, contact, cart_ref, excluded))),
                'Array(Tuple(
                time DateTime64(3, ''UTC''), id FixedString(16), name LowCardinality(String), visitor UInt64, session UInt64, has_page UInt8, customer UInt64, order_ref UInt64,
                quantity Int64, lines UInt32, amount Nullable(Decimal(18, 4)), currency LowCardinality(String), value Nullable(Decimal(18, 4)),
                shipping Nullable(Decimal(18, 4)), tax Nullable(Decimal(18, 4)), fees Nullable(Decimal(18, 4)),
                coupon String, payment_type LowCardinality(String), shipping_tier LowCardinality(String), error_kind LowCardinality(String),
                channel LowCardinality(String), source String, medium LowCardinality(String), campaign String, device LowCardinality(String), language LowCardinality(String),
                receipt_id String, marketing UInt8, contact String, cart_ref String, excluded UInt8))') AS copies,
            -- Of the copies of one event the earliest is the event.
            arrayFilter((x, nth) -> nth = 1, copies, arrayEnumerateUniq(copies.id)) AS e
        FROM marked
        GROUP BY shop, cart, owner
    ),
    cut AS
    (
        SELECT
            shop, cart AS stream, owner, e, old,
            arrayDifference(arrayMap(t -> toUnixTimestamp64Milli(t), e.time)) AS gaps,
            if(cart != 0, [toUInt32(1)],
               arrayFilter((i, gap) -> i = 1 OR gap > 2592000000 OR e.name[i - 1] = 'purchase', arrayEnumerate(e), gaps)) AS starts,
            arrayMap((i, next) -> (if(cart != 0, cart, cityHash64(owner, e.id[i])), arraySlice(e, i, next - i)),
                starts, arrayPushBack(arrayPopFront(starts), toUInt32(length(e) + 1))) AS found
        FROM streams
        LEFT JOIN known USING (shop, cart, owner)
    ),
    -- One row a cart; c is its events by (time, id), empty for a tombstone.
    carts AS
    (
        SELECT
            shop, stream != 0 AS given, owner,
            arrayJoin(arrayConcat(
                found,
                arrayMap(k -> (k.1, arraySlice(e, 1, 0)), arrayFilter(k -> k.2 >= {horizon:DateTime64(3)} AND NOT has(arrayMap(f -> f.1, found), k.1), old)))) AS one
        FROM cut
    ),
    -- The sessions of these visitors by their start: (session, given, start, first_id, channel, source, medium, campaign, landing_page).
    visits AS
    (
        SELECT shop, visitor, arraySort(s -> (s.3, s.4), groupArray((session, fact.1, fact.2, fact.3, fact.4, fact.5, fact.6, fact.7, fact.8))) AS sessions
        FROM
        (
            SELECT shop, visitor, session, argMax((given, start, first_id, channel, source, medium, campaign, landing_page, is_deleted), version) AS fact
            FROM session_facts
            WHERE (shop, visitor) IN (SELECT shop, visitor FROM cart_events WHERE (shop, cart) IN given_marks UNION ALL SELECT shop, visitor FROM own_marks)
            GROUP BY shop, visitor, session
            HAVING NOT fact.9
        )
        GROUP BY shop, visitor
    ),
    attributed AS
    (
        SELECT
            *,
            -- The session of the first event; a cart whose first event is in none keeps that event's own channel.
            multiIf(
                c.session[1] != 0, arrayFirst(s -> s.2 AND s.1 = c.session[1], sessions),
                c.has_page[1], arrayLast(s -> NOT s.2 AND (s.3, s.4) <= (c.time[1], c.id[1]), sessions),
                arrayFirst(s -> 0, sessions)) AS visit,
            indexOf(c.name, 'purchase') AS bought,
            arraySlice(arrayDifference(arrayMap(t -> toUnixTimestamp64Milli(t), c.time)), 1, if(bought = 0, length(c), bought)) AS gaps,
            arrayMax(gaps) AS max_gap,
            arrayLastIndex((name, value) -> name IN ('view_cart', 'begin_checkout', 'add_contact_info', 'add_shipping_info', 'add_payment_info', 'purchase') AND value IS NOT NULL,
                c.name, c.value) AS told,
            arrayLastIndex((name, amount) -> name IN ('add_to_cart', 'remove_from_cart') AND amount IS NOT NULL, c.name, c.amount) AS moved,
            arrayLastIndex(name -> name = 'view_cart', c.name) AS viewed
        FROM (SELECT shop, given, one.1 AS cart, one.2 AS c, if(empty(c), owner, c[1].visitor) AS visitor FROM carts) AS carts
        LEFT JOIN visits USING (shop, visitor)
    )
SELECT
    shop, cart, given, visitor,
    arraySort(arrayDistinct(c.visitor)),
    arrayFirst(x -> x != 0, c.customer),
    c.time[1], c.id[1], c.time[-1],
    if(bought = 0, NULL, c.time[bought]),
    multiIf(bought = 0, 0, c.order_ref[bought] != 0, c.order_ref[bought], given, cart, reinterpretAsUInt64(substring(c.id[bought], 1, 8))),
    max_gap,
    if(max_gap = 0, NULL, c.time[arrayLastIndex(gap -> gap = max_gap, gaps)]),
    arrayDistinct(c.name) AS names,
    arrayMap(name -> c.time[indexOf(c.name, name)], names),
    arrayMap(name -> countEqual(c.name, name), names),
    if(hasAny(c.name, ['add_to_cart', 'remove_from_cart']),
       arraySum((name, quantity) -> multiIf(name = 'add_to_cart', quantity, name = 'remove_from_cart', -quantity, 0), c.name, c.quantity), NULL),
    if(viewed = 0, NULL, c.lines[viewed]),
    multiIf(told != 0, c.currency[told], moved != 0, c.currency[moved], c.currency[1]),
    multiIf(
        told != 0, c.value[told],
        moved != 0, CAST(greatest(least(arraySum((name, amount, currency) ->
            if(currency = c.currency[moved], multiIf(name = 'add_to_cart', 1, name = 'remove_from_cart', -1, 0), 0) * toDecimal128(ifNull(amount, 0), 4), c.name, c.amount, c.currency),
            90000000000000), -90000000000000) AS Nullable(Decimal(18, 4))),
        NULL),
    arrayFilter(x -> x.3 IS NOT NULL OR x.4 IS NOT NULL OR x.5 IS NOT NULL, arrayZip(c.name, c.time, c.shipping, c.tax, c.fees)),
    visit.1,
    if(visit.1 = 0, c.channel[1], visit.5), if(visit.1 = 0, c.source[1], visit.6), if(visit.1 = 0, c.medium[1], visit.7),
    if(visit.1 = 0, c.campaign[1], visit.8), visit.9,
    c.device[1], c.language[1],
    arrayLast(x -> x != '', c.payment_type), arrayLast(x -> x != '', c.shipping_tier),
    arrayDistinct(arrayFilter(x -> x != '', c.coupon)), arrayDistinct(arrayFilter(x -> x != '', c.error_kind)),
    arrayLast(x -> x != '', c.receipt_id),
    -- What the latest receipt in the cart permits.
    c.marketing[-1], arrayLast(x -> x != '', c.contact), arrayLast(x -> x != '', c.cart_ref),
    arrayExists(x -> x != 0, c.excluded), length(c),
    toUInt64(toUnixTimestamp64Nano(now64(9))),
    empty(c)
FROM attributed
WHERE given OR empty(c) OR c.time[1] >= {horizon:DateTime64(3)}
