-- Median seconds from a step to the next configured step that the cart showed: of all carts, by breakdown key, and by interval.
-- One row a (grouping, key, bucket, step number from 1).
WITH
    {steps:Array(String)} AS steps,
    shown AS
    (
        SELECT
            multiIf({by:String} = 'device', toString(device), {by:String} = 'channel', toString(channel), '') AS key,
            toDate(first_event, {timezone:String}) AS day,
            -- (step number, first time) of the configured steps the cart showed, in the steps' order.
            arraySort(arrayFilter(s -> s.1 > 0, arrayMap((name, first) -> (indexOf(steps, name), toUnixTimestamp64Milli(first)), step_names, step_first))) AS seen
        FROM cart_facts FINAL
        WHERE shop = {shop:String} AND NOT excluded
          AND first_event >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND first_event < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    ),
    waits AS
    (
        SELECT
            key,
            multiIf({interval:String} = '', toDate(0), {interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket,
            arrayJoin(arrayMap((here, next) -> (here.1, greatest(next.2 - here.2, 0) / 1000), arrayPopBack(seen), arrayPopFront(seen))) AS wait
        FROM shown
        WHERE length(seen) > 1
    )
SELECT
    multiIf(grouping(key) = 0, 'key', grouping(bucket) = 0, 'bucket', 'all') AS over,
    key,
    bucket,
    toUInt8(wait.1) AS step,
    quantileExactInclusive(0.5)(wait.2) AS median_seconds
FROM waits
GROUP BY GROUPING SETS ((step), (step, key), (step, bucket))
ORDER BY over, key, bucket, step
