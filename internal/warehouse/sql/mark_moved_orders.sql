-- Marks the orders of visitors whose sessions a batch has rearranged.
INSERT INTO touched (batch, kind, shop, key, sub, writer)
WITH moved AS (SELECT shop, key FROM touched WHERE batch = {batch:String} AND kind = 'moved')
SELECT {batch:String}, 'order', shop, order_ref, 0, {writer:UInt64}
FROM order_facts
WHERE visitor IN (SELECT key FROM moved) AND (shop, visitor) IN moved
GROUP BY ALL
