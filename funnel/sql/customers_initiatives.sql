-- What brought the new customers: the channel, source, medium and campaign of the session in which they placed their first order.
WITH
    fromUnixTimestamp64Milli({from:Int64}, 'UTC') AS begin,
    fromUnixTimestamp64Milli({to:Int64}, 'UTC') AS end,
    known AS (SELECT visitor, known_customer FROM sole_customers WHERE shop = {shop:String}),
    orders AS
    (
        SELECT
            multiIf(o.customer != 0, (1, o.customer), known_customer != 0, (1, known_customer), (0, o.visitor)) AS person,
            time, first_id, time >= begin AND time < end AS inside, toString(currency) AS currency, value - refunded AS revenue,
            if(session = 0, ('', '', '', ''), (toString(channel), source, toString(medium), campaign)) AS initiative
        FROM (SELECT visitor, customer, time, first_id, currency, value, refunded, session, channel, source, medium, campaign
              FROM order_facts FINAL WHERE shop = {shop:String} AND NOT excluded) AS o
        LEFT JOIN known ON known.visitor = o.visitor
    ),
    people AS
    (
        SELECT
            person,
            min(time) AS first_order,
            argMin(initiative, (time, first_id)) AS brought_by,
            sumMap(if(inside, map(currency, revenue), map())) AS own_revenue
        FROM orders
        GROUP BY person
        HAVING first_order >= begin AND first_order < end
    )
SELECT brought_by.1 AS channel, brought_by.2 AS source, brought_by.3 AS medium, brought_by.4 AS campaign, count() AS new_customers, sumMap(own_revenue) AS revenue
FROM people
GROUP BY channel, source, medium, campaign
ORDER BY new_customers DESC, channel, source, medium, campaign
LIMIT 1000
