-- Marks, under another name, those entities of a batch that other batches touched too.
INSERT INTO touched (batch, kind, shop, key, sub, writer)
SELECT {again:String}, kind, shop, key, sub, any(writer)
FROM touched
WHERE batch = {batch:String} AND kind != 'moved'
  AND (kind, shop, key, sub) IN (SELECT kind, shop, key, sub FROM touched WHERE batch IN {others:Array(String)})
GROUP BY kind, shop, key, sub
