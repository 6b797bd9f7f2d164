SELECT shop, visitor, record_id, aliases, action, receipt_id, granted, denied, revoked, choices, notice_version, notice_language, notice_sha256,
       source, attested_by, given_at, recorded_at, expires_at, erase
FROM consents FINAL
WHERE recorded_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
ORDER BY shop, visitor, given_at, record_id
