-- Consent decisions by purpose, by interval (one row a purpose and decision where there is none). Grants and withdrawals are read from
-- the ledger, refusals from the anonymous counts.
WITH
    fromUnixTimestamp64Milli({from:Int64}, 'UTC') AS begin,
    fromUnixTimestamp64Milli({to:Int64}, 'UTC') AS end,
    decided AS
    (
        SELECT toDate(given_at, {timezone:String}) AS day, arrayJoin(granted) AS purpose, 'granted' AS decision, toUInt64(1) AS number
        FROM consents FINAL
        WHERE shop = {shop:String} AND given_at >= begin AND given_at < end
        UNION ALL
        SELECT toDate(given_at, {timezone:String}) AS day, arrayJoin(denied) AS purpose, if(action = 'withdrawal' OR has(revoked, purpose) OR has(revoked, '*'), 'withdrawn', 'refused') AS decision, toUInt64(1) AS number
        FROM consents FINAL
        WHERE shop = {shop:String} AND given_at >= begin AND given_at < end
        UNION ALL
        SELECT toDate(hour, {timezone:String}) AS day, purpose, decision, count AS number
        FROM consent_counts FINAL
        WHERE shop = {shop:String} AND hour >= begin AND hour < end
    )
SELECT
    multiIf({interval:String} = '', toDate(0), {interval:String} = 'week', toMonday(day), {interval:String} = 'month', toStartOfMonth(day), day) AS bucket,
    toString(purpose) AS purpose,
    toString(decision) AS decision,
    sum(number) AS count
FROM decided
GROUP BY bucket, purpose, decision
ORDER BY bucket, purpose, decision
