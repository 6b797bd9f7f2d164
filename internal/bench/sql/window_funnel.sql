-- The checkout as it is usually asked: windowFunnel over the raw events of a month, a cart a window.
SELECT level, count() AS carts
FROM
(
    SELECT
        cart,
        windowFunnel(2592000000)(toUInt64(toUnixTimestamp64Milli(time)), name = 'add_to_cart', name = 'begin_checkout', name = 'add_shipping_info', name = 'add_payment_info', name = 'purchase') AS level
    FROM kassa.events
    WHERE shop = 'demo' AND cart != 0 AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    GROUP BY cart
)
GROUP BY level
ORDER BY level
