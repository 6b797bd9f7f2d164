SELECT event_id, toUnixTimestamp64Milli(min(time))
FROM event_ids
WHERE shop = {shop:String} AND event_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))
GROUP BY event_id
