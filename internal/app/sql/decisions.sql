SELECT record_id, shop, visitor, aliases, action, receipt_id, granted, denied, revoked, choices, notice_version, notice_language,
       notice_sha256, source, attested_by, toUnixTimestamp64Milli(given_at), toUnixTimestamp64Milli(recorded_at), toUnixTimestamp64Milli(expires_at), erase
FROM consents
ORDER BY shop, visitor, given_at, record_id
