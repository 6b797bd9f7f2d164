-- Parts below 128 MiB keep all columns in one file: a batch's part costs a handful of fsyncs instead of two a column.
-- Every table the writer touches fsyncs before it acknowledges: the spool forgets a batch on the strength of that answer.
-- No table is partitioned: the only candidate is time, and the copies of one event may differ in time, so that they would never collapse.

-- What the writer inserts into: nothing is kept here, events_view turns it into events. The types are those that are cheap to encode:
-- plain strings, milliseconds, ten-thousandths, and an event's items as six strings each
-- (id, name, category, variant, price in ten-thousandths or empty, quantity).
CREATE TABLE IF NOT EXISTS incoming
(
    shop String, event_id FixedString(16), name String, time Int64, received Int64,
    visitor UInt64, session UInt64, cart UInt64, order_ref UInt64, customer UInt64,
    receipt_id String, given_at Int64, basis String, marketing UInt8, wire String, cart_event UInt8,
    page String, title String, language String, referrer String,
    source String, medium String, campaign String, term String, content String, channel String,
    device String, browser String, os String,
    currency String, value Nullable(Int64), shipping Nullable(Int64), tax Nullable(Int64), fees Nullable(Int64), discount Nullable(Int64),
    coupon String, payment_type String, shipping_tier String, error_kind String, error_detail String,
    items Array(String), contact String, cart_ref String, excluded UInt8
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS events
(
    shop          LowCardinality(String),
    event_id      FixedString(16),
    name          LowCardinality(String),
    time          DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    visitor       UInt64,
    session       UInt64,
    cart          UInt64,
    order_ref     UInt64,
    customer      UInt64,
    receipt_id    String CODEC(ZSTD(1)),
    given_at      DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    basis         LowCardinality(String),
    marketing     UInt8,
    wire          LowCardinality(String),
    cart_event    UInt8,
    page          String CODEC(ZSTD(1)),
    title         String CODEC(ZSTD(1)),
    language      LowCardinality(String),
    referrer      String CODEC(ZSTD(1)),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    term          String CODEC(ZSTD(1)),
    content       String CODEC(ZSTD(1)),
    channel       LowCardinality(String),
    device        LowCardinality(String),
    browser       LowCardinality(String),
    os            LowCardinality(String),
    currency      LowCardinality(String),
    value         Nullable(Decimal(18, 4)),
    shipping      Nullable(Decimal(18, 4)),
    tax           Nullable(Decimal(18, 4)),
    fees          Nullable(Decimal(18, 4)),
    discount      Nullable(Decimal(18, 4)),
    coupon        String CODEC(ZSTD(1)),
    payment_type  LowCardinality(String),
    shipping_tier LowCardinality(String),
    error_kind    LowCardinality(String),
    error_detail  String CODEC(ZSTD(1)),
    items         Nested
    (
        id        String,
        name      String,
        category  LowCardinality(String),
        variant   String,
        price     Nullable(Decimal(18, 4)),
        quantity  Int64
    ),
    contact       String CODEC(ZSTD(1)),
    cart_ref      String CODEC(ZSTD(1)),
    excluded      UInt8,
    -- The copy with the earliest time is the event: the greatest version survives.
    version       UInt64 MATERIALIZED 18446744073709551615 - toUInt64(toUnixTimestamp64Milli(time))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop, visitor, event_id)
PRIMARY KEY (shop, visitor)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS events_view TO events AS
SELECT
    shop, event_id, name,
    fromUnixTimestamp64Milli(time, 'UTC') AS time,
    fromUnixTimestamp64Milli(received, 'UTC') AS received,
    visitor, session, cart, order_ref, customer,
    receipt_id, fromUnixTimestamp64Milli(given_at, 'UTC') AS given_at, basis, marketing, wire, cart_event,
    page, title, language, referrer, source, medium, campaign, term, content, channel, device, browser, os, currency,
    CAST(toDecimal128(value, 4) / 10000 AS Nullable(Decimal(18, 4))) AS value,
    CAST(toDecimal128(shipping, 4) / 10000 AS Nullable(Decimal(18, 4))) AS shipping,
    CAST(toDecimal128(tax, 4) / 10000 AS Nullable(Decimal(18, 4))) AS tax,
    CAST(toDecimal128(fees, 4) / 10000 AS Nullable(Decimal(18, 4))) AS fees,
    CAST(toDecimal128(discount, 4) / 10000 AS Nullable(Decimal(18, 4))) AS discount,
    coupon, payment_type, shipping_tier, error_kind, error_detail,
    arrayMap(i -> items[i * 6 + 1], range(intDiv(length(items), 6))) AS `items.id`,
    arrayMap(i -> items[i * 6 + 2], range(intDiv(length(items), 6))) AS `items.name`,
    arrayMap(i -> items[i * 6 + 3], range(intDiv(length(items), 6))) AS `items.category`,
    arrayMap(i -> items[i * 6 + 4], range(intDiv(length(items), 6))) AS `items.variant`,
    arrayMap(i -> CAST(toDecimal128(toInt64OrNull(items[i * 6 + 5]), 4) / 10000 AS Nullable(Decimal(18, 4))), range(intDiv(length(items), 6))) AS `items.price`,
    arrayMap(i -> toInt64OrZero(items[i * 6 + 6]), range(intDiv(length(items), 6))) AS `items.quantity`,
    contact, cart_ref, excluded
FROM incoming;

-- Which ids are stored, whoever sent them: the writer asks before it inserts.
CREATE TABLE IF NOT EXISTS event_ids
(
    shop          LowCardinality(String),
    event_id      FixedString(16) CODEC(NONE),
    time          DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (shop, event_id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS event_ids_view TO event_ids AS
SELECT shop, event_id, time FROM events;

-- What a cart is folded from: cart events only, ordered so that one cart, or one visitor's events without a cart id, is one short range.
CREATE TABLE IF NOT EXISTS cart_events
(
    shop          LowCardinality(String),
    cart          UInt64,
    visitor       UInt64,
    event_id      FixedString(16),
    time          DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    name          LowCardinality(String),
    session       UInt64,
    has_page      UInt8,
    customer      UInt64,
    order_ref     UInt64,
    quantity      Int64,
    lines         UInt32,
    amount        Nullable(Decimal(18, 4)),
    currency      LowCardinality(String),
    value         Nullable(Decimal(18, 4)),
    shipping      Nullable(Decimal(18, 4)),
    tax           Nullable(Decimal(18, 4)),
    fees          Nullable(Decimal(18, 4)),
    coupon        String CODEC(ZSTD(1)),
    payment_type  LowCardinality(String),
    shipping_tier LowCardinality(String),
    error_kind    LowCardinality(String),
    channel       LowCardinality(String),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    device        LowCardinality(String),
    language      LowCardinality(String),
    receipt_id    String CODEC(ZSTD(1)),
    marketing     UInt8,
    contact       String CODEC(ZSTD(1)),
    cart_ref      String CODEC(ZSTD(1)),
    excluded      UInt8,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop, cart, visitor, event_id)
PRIMARY KEY (shop, cart, visitor)
SETTINGS index_granularity = 128, min_compress_block_size = 8192, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cart_events_view TO cart_events AS
SELECT
    shop, cart, visitor, event_id, time, name, session, page != '' AS has_page, customer, order_ref,
    -- An event without items counts one; a line without a quantity counts one.
    if(empty(items.id), 1, arraySum(q -> if(q = 0, 1, q), items.quantity)) AS quantity,
    toUInt32(length(items.id)) AS lines,
    multiIf(
        value IS NOT NULL, value,
        arrayExists(p -> p IS NOT NULL, items.price),
        CAST(greatest(least(arraySum((p, q) -> toDecimal128(ifNull(p, 0), 4) * if(q = 0, 1, q), items.price, items.quantity), 90000000000000), -90000000000000) AS Nullable(Decimal(18, 4))),
        NULL) AS amount,
    currency, value, shipping, tax, fees, coupon, payment_type, shipping_tier, error_kind,
    channel, source, medium, campaign, device, language, receipt_id, marketing, contact, cart_ref, excluded,
    18446744073709551615 - toUInt64(toUnixTimestamp64Milli(time)) AS version
FROM events
WHERE cart_event;

-- What a session is folded from: every event with a session or a page.
CREATE TABLE IF NOT EXISTS session_events
(
    shop          LowCardinality(String),
    visitor       UInt64,
    session       UInt64,
    event_id      FixedString(16),
    time          DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    page_view     UInt8,
    page          String CODEC(ZSTD(1)),
    referrer      String CODEC(ZSTD(1)),
    -- Which campaign or external referrer brought this event, 0 for none: a new one starts another session.
    origin        UInt64 CODEC(ZSTD(1)),
    channel       LowCardinality(String),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    device        LowCardinality(String),
    language      LowCardinality(String),
    marketing     UInt8,
    excluded      UInt8,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop, visitor, session, event_id)
PRIMARY KEY (shop, visitor, session)
SETTINGS index_granularity = 128, min_compress_block_size = 8192, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS session_events_view TO session_events AS
SELECT
    shop, visitor, session, event_id, time, name = 'page_view' AS page_view, page, referrer,
    if(referrer = '' AND campaign = '' AND medium IN ('', '(none)') AND source IN ('', '(direct)'), 0, cityHash64(referrer, source, medium, campaign)) AS origin,
    channel, source, medium, campaign, device, language, marketing, excluded,
    18446744073709551615 - toUInt64(toUnixTimestamp64Milli(time)) AS version
FROM events
WHERE session != 0 OR page != '';

-- What an order is folded from: purchases and refunds. Without a reference the cart's id is the reference, else the event's id.
CREATE TABLE IF NOT EXISTS order_events
(
    shop          LowCardinality(String),
    order_ref     UInt64,
    event_id      FixedString(16),
    refund        UInt8,
    time          DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    visitor       UInt64,
    customer      UInt64,
    cart          UInt64,
    session       UInt64,
    has_page      UInt8,
    currency      LowCardinality(String),
    value         Decimal(18, 4),
    coupon        String CODEC(ZSTD(1)),
    channel       LowCardinality(String),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    device        LowCardinality(String),
    excluded      UInt8,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop, order_ref, event_id)
PRIMARY KEY (shop, order_ref)
SETTINGS index_granularity = 128, min_compress_block_size = 8192, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_events_view TO order_events AS
SELECT
    shop,
    multiIf(order_ref != 0, order_ref, cart != 0, cart, reinterpretAsUInt64(substring(event_id, 1, 8))) AS order_ref,
    event_id, name = 'refund' AS refund, time, visitor, customer, cart, session, page != '' AS has_page, currency,
    ifNull(value, 0) AS value,
    coupon, channel, source, medium, campaign, device, excluded,
    18446744073709551615 - toUInt64(toUnixTimestamp64Milli(time)) AS version
FROM events
WHERE name IN ('purchase', 'refund');

-- Every (visitor, customer) pair seen.
CREATE TABLE IF NOT EXISTS identities
(
    shop          LowCardinality(String),
    visitor       UInt64,
    customer      UInt64,
    first_seen    SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_seen     SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (shop, visitor, customer)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS identities_view TO identities AS
SELECT shop, visitor, customer, min(time) AS first_seen, max(time) AS last_seen
FROM events
WHERE customer != 0
GROUP BY shop, visitor, customer;

-- The customer that a visitor is known as, where there is just one: whose the orders without a customer reference are.
CREATE VIEW IF NOT EXISTS sole_customers AS
SELECT shop, visitor, min(customer) AS known_customer
FROM identities
GROUP BY shop, visitor
HAVING known_customer = max(customer);

-- Which entities a batch touched. Written after the batch's events are visible, so that whoever sees the mark sees the events too.
CREATE TABLE IF NOT EXISTS touched
(
    batch         String,
    kind          String,
    shop          String,
    key           UInt64,
    sub           UInt64,
    writer        UInt64,
    at            DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY (batch, kind, shop, key, sub)
TTL at + INTERVAL 2 DAY;

-- Which batches are being folded, and by which process. Written after the marks, for the same reason.
CREATE TABLE IF NOT EXISTS batches
(
    batch         String,
    writer        UInt64,
    at            DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY at
TTL at + INTERVAL 2 DAY;

CREATE TABLE IF NOT EXISTS session_facts
(
    shop          LowCardinality(String),
    visitor       UInt64,
    session       UInt64,
    given         UInt8,
    first_id      FixedString(16),
    start         DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    end           DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    landing_page  String CODEC(ZSTD(1)),
    referrer      String CODEC(ZSTD(1)),
    channel       LowCardinality(String),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    device        LowCardinality(String),
    language      LowCardinality(String),
    page_views    UInt32,
    events        UInt32,
    marketing     UInt8,
    excluded      UInt8,
    -- The batch whose fold moved this session's beginning, empty when it did not: carts and orders that stand in it are folded again.
    moved         String CODEC(ZSTD(1)),
    version       UInt64 CODEC(Delta(8), ZSTD(1)),
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (shop, visitor, session)
SETTINGS index_granularity = 256, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS session_moves_view TO touched AS
SELECT DISTINCT moved AS batch, 'moved' AS kind, shop, visitor AS key, toUInt64(0) AS sub, toUInt64(0) AS writer
FROM session_facts
WHERE moved != '';

CREATE TABLE IF NOT EXISTS cart_facts
(
    shop            LowCardinality(String),
    cart            UInt64,
    given           UInt8,
    visitor         UInt64,
    visitors        Array(UInt64),
    customer        UInt64,
    first_event     DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    first_id        FixedString(16),
    last_activity   DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    purchased_at    Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    order_ref       UInt64,
    max_gap_ms      UInt64 CODEC(ZSTD(1)),
    -- When the longest of these gaps ended (the last one of equals).
    max_gap_end     Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    step_names      Array(LowCardinality(String)),
    step_first      Array(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    step_count      Array(UInt32) CODEC(ZSTD(1)),
    net_quantity    Nullable(Int64) CODEC(ZSTD(1)),
    view_cart_items Nullable(UInt32) CODEC(ZSTD(1)),
    currency        LowCardinality(String),
    value           Nullable(Decimal(18, 4)),
    -- Everything shown beyond the goods, by (time, id): (step, time, shipping, tax, fees).
    extra_costs     Array(Tuple(step LowCardinality(String), time DateTime64(3, 'UTC'), shipping Nullable(Decimal(18, 4)), tax Nullable(Decimal(18, 4)), fees Nullable(Decimal(18, 4)))),
    session         UInt64,
    channel         LowCardinality(String),
    source          String CODEC(ZSTD(1)),
    medium          LowCardinality(String),
    campaign        String CODEC(ZSTD(1)),
    landing_page    String CODEC(ZSTD(1)),
    device          LowCardinality(String),
    language        LowCardinality(String),
    payment_type    LowCardinality(String),
    shipping_tier   LowCardinality(String),
    coupons         Array(String) CODEC(ZSTD(1)),
    error_kinds     Array(LowCardinality(String)),
    receipt_id      String CODEC(ZSTD(1)),
    marketing       UInt8,
    contact         String CODEC(ZSTD(1)),
    cart_ref        String CODEC(ZSTD(1)),
    excluded        UInt8,
    events          UInt32,
    version         UInt64 CODEC(Delta(8), ZSTD(1)),
    is_deleted      UInt8,
    INDEX by_visitor visitor TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_visitors visitors TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_time first_event TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (shop, cart)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS order_facts
(
    shop          LowCardinality(String),
    order_ref     UInt64,
    visitor       UInt64,
    visitors      Array(UInt64),
    customer      UInt64,
    cart          UInt64,
    time          DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    first_id      FixedString(16),
    currency      LowCardinality(String),
    value         Decimal(18, 4),
    refunded      Decimal(18, 4),
    session       UInt64,
    channel       LowCardinality(String),
    source        String CODEC(ZSTD(1)),
    medium        LowCardinality(String),
    campaign      String CODEC(ZSTD(1)),
    landing_page  String CODEC(ZSTD(1)),
    device        LowCardinality(String),
    excluded      UInt8,
    version       UInt64 CODEC(Delta(8), ZSTD(1)),
    is_deleted    UInt8,
    INDEX by_visitor visitor TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_visitors visitors TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (shop, order_ref)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1;

-- The consent ledger: append-only; a record delivered twice collapses by its id.
CREATE TABLE IF NOT EXISTS consents
(
    shop            LowCardinality(String),
    visitor         UInt64,
    record_id       String,
    aliases         Array(UInt64),
    action          LowCardinality(String),
    receipt_id      String,
    granted         Array(String),
    denied          Array(String),
    revoked         Array(String),
    choices         String,
    notice_version  String,
    notice_language String,
    notice_sha256   String,
    source          String,
    attested_by     String,
    given_at        DateTime64(3, 'UTC'),
    recorded_at     DateTime64(3, 'UTC'),
    expires_at      DateTime64(3, 'UTC'),
    erase           UInt8
)
ENGINE = ReplacingMergeTree
ORDER BY (shop, visitor, record_id)
SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

-- Refusals and page views without consent: counts of nobody. key makes a count that is delivered twice collapse.
CREATE TABLE IF NOT EXISTS consent_counts
(
    shop          LowCardinality(String),
    hour          DateTime('UTC'),
    purpose       String,
    decision      String,
    key           String,
    count         UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (shop, hour, purpose, decision, key)
SETTINGS min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

-- Anonymous totals that outlive retention.
CREATE TABLE IF NOT EXISTS daily_totals
(
    shop          LowCardinality(String),
    day           Date,
    measure       LowCardinality(String),
    key           String,
    currency      LowCardinality(String),
    value         Decimal(38, 4),
    people        UInt64,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shop, day, measure, key, currency)
SETTINGS min_bytes_for_wide_part = 134217728, fsync_after_insert = 1, fsync_part_directory = 1;
