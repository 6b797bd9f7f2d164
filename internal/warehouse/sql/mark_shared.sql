-- Marks, under another name, those entities of a batch that other batches touched too. Where that is a session, the other's events may
-- have moved its beginning before this batch's fold had told of it: its visitor's carts and orders are looked at as if it had moved.
INSERT INTO touched (batch, kind, shop, key, sub, writer)
WITH shared AS
(
    SELECT kind, shop, key, sub, any(writer) AS marked_by
    FROM touched
    WHERE batch = {batch:String} AND kind != 'moved'
      AND (kind, shop, key, sub) IN (SELECT kind, shop, key, sub FROM touched WHERE batch IN {others:Array(String)})
    GROUP BY kind, shop, key, sub
)
SELECT {again:String}, kind, shop, key, sub, marked_by FROM shared
UNION ALL
SELECT DISTINCT {again:String}, 'moved', shop, key, toUInt64(0), toUInt64(0) FROM shared WHERE kind = 'session'
