-- Marks the carts of visitors whose sessions a batch has rearranged: they may stand in another session now.
INSERT INTO touched (batch, kind, shop, key, sub, writer)
WITH moved AS (SELECT shop, key FROM touched WHERE batch = {batch:String} AND kind = 'moved')
SELECT {batch:String}, if(given, 'cart', 'own_cart'), shop, if(given, cart, visitor), 0, {writer:UInt64}
FROM cart_facts
WHERE visitor IN (SELECT key FROM moved) AND (shop, visitor) IN moved
GROUP BY ALL
