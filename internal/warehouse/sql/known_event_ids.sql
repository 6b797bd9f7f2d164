-- Those of the ids (32 hex digits each, one after the other) that are stored, with their earliest time.
SELECT event_id, min(time)
FROM event_ids
WHERE shop = {shop:String}
  AND event_id IN (SELECT toFixedString(unhex(substring({ids:String}, 32 * number + 1, 32)), 16) FROM numbers(intDiv(length({ids:String}), 32)))
GROUP BY event_id
