SELECT toJSONString(tuple(
    record_id, action, receipt_id, granted, denied, revoked, choices, notice_version, notice_language, notice_sha256, source, attested_by,
    given_at, recorded_at, expires_at)), '', ''
FROM consents FINAL
WHERE shop = {shop:String} AND (visitor IN {visitors:Array(UInt64)} OR hasAny(aliases, {visitors:Array(UInt64)}))
ORDER BY given_at, record_id
