-- One row: who ordered in the period. Each customer's revenue in the shop's currency comes along, for the concentration.
WITH
    fromUnixTimestamp64Milli({from:Int64}, 'UTC') AS begin,
    fromUnixTimestamp64Milli({to:Int64}, 'UTC') AS end,
    known AS (SELECT visitor, known_customer FROM sole_customers WHERE shop = {shop:String}),
    orders AS
    (
        SELECT
            -- Whose order it is: its own reference's, else the sole customer its visitor is known as, else the visitor's.
            multiIf(o.customer != 0, (1, o.customer), known_customer != 0, (1, known_customer), (0, o.visitor)) AS person,
            time, time >= begin AND time < end AS inside, toString(currency) AS currency, value - refunded AS revenue
        FROM (SELECT visitor, customer, time, currency, value, refunded FROM order_facts FINAL WHERE shop = {shop:String} AND NOT excluded) AS o
        LEFT JOIN known ON known.visitor = o.visitor
    ),
    people AS
    (
        SELECT
            person,
            min(time) AS first_order,
            countIf(inside) AS own_orders,
            countIf(time < end) AS orders_by_end,
            sumMap(if(inside, map(currency, revenue), map())) AS own_revenue,
            sumMap(if(inside, map(currency, toUInt64(1)), map())) AS own_currencies
        FROM orders
        GROUP BY person
        HAVING own_orders > 0
    )
SELECT
    count() AS customers,
    countIf(first_order >= begin) AS new,
    sum(own_orders) AS orders,
    countIf(orders_by_end >= 2) AS repeaters,
    sumMap(own_revenue) AS revenue,
    sumMap(own_currencies) AS orders_by_currency,
    groupArrayIf(own_revenue[{currency:String}], mapContains(own_revenue, {currency:String})) AS revenues
FROM people
