-- Sessions that started in the span, by channel.
SELECT toString(channel) AS channel, count() AS sessions
FROM session_facts FINAL
WHERE shop = {shop:String}
  AND start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
GROUP BY channel
ORDER BY channel
