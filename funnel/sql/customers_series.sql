-- One row an interval: customers, those whose first order ever lies in it, orders and revenue.
WITH
    fromUnixTimestamp64Milli({from:Int64}, 'UTC') AS begin,
    fromUnixTimestamp64Milli({to:Int64}, 'UTC') AS end,
    known AS (SELECT visitor, known_customer FROM sole_customers WHERE shop = {shop:String}),
    orders AS
    (
        SELECT
            multiIf(o.customer != 0, (1, o.customer), known_customer != 0, (1, known_customer), (0, o.visitor)) AS person,
            time, time >= begin AND time < end AS inside, toString(currency) AS currency, value - refunded AS revenue,
            toDate(time, {timezone:String}) AS day,
            multiIf({interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket
        FROM (SELECT visitor, customer, time, currency, value, refunded FROM order_facts FINAL WHERE shop = {shop:String} AND NOT excluded) AS o
        LEFT JOIN known ON known.visitor = o.visitor
    ),
    firsts AS (SELECT person, min(time) AS first_order FROM orders GROUP BY person)
SELECT
    bucket,
    uniqExact(person) AS customers,
    uniqExactIf(person, time = first_order) AS new,
    count() AS orders,
    sumMap(map(currency, revenue)) AS revenue
FROM orders
INNER JOIN firsts USING (person)
WHERE inside
GROUP BY bucket
ORDER BY bucket
