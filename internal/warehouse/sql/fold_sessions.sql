-- Folds the sessions that a batch touched from their distinct events.
--
-- A given session of a visitor is one session. A visitor's events without a session id form sessions among themselves: a gap of more
-- than 30 minutes, or an origin other than the session's own, starts another; such a session is called by the hash of its first
-- event's id. Sessions of that kind that late events have rearranged away get a tombstone.
INSERT INTO session_facts
    (shop, visitor, session, given, first_id, start, end, landing_page, referrer, channel, source, medium, campaign, device, language,
     page_views, events, marketing, excluded, moved, version, is_deleted)
WITH
    marked AS (SELECT shop, key AS visitor, sub AS session FROM touched WHERE batch = {batch:String} AND kind = 'session'),
    -- What is known so far: (session, first_id, start, end), in the order of their start. The newest version is picked by hand, here and
    -- below: FINAL would merge all rows of every block before it looks which of them are wanted.
    known AS
    (
        SELECT shop, visitor, if(fact.1, session, 0) AS stream, arraySort(k -> (k.3, k.2), groupArray((session, fact.2, fact.3, fact.4))) AS old
        FROM
        (
            SELECT shop, visitor, session, argMax((given, first_id, start, end, is_deleted), version) AS fact
            FROM session_facts
            WHERE (shop, visitor) IN (SELECT shop, visitor FROM marked)
            GROUP BY shop, visitor, session
            HAVING NOT fact.5
        )
        GROUP BY shop, visitor, stream
    ),
    streams AS
    (
        SELECT
            shop, visitor, session AS stream,
            -- Of the copies of one event the earliest is the event.
            arraySort(groupArray((time, event_id, page_view, page, referrer, origin, channel, source, medium, campaign, device, language, marketing, excluded))) AS copies,
            arrayFilter((x, nth) -> nth = 1, copies, arrayEnumerateUniq(arrayMap(x -> x.2, copies))) AS e
        FROM session_events
        WHERE (shop, visitor, session) IN (SELECT shop, visitor, session FROM marked)
        GROUP BY shop, visitor, stream
    ),
    cut AS
    (
        SELECT
            shop, visitor, stream, e, old,
            arrayDifference(arrayMap(x -> toUnixTimestamp64Milli(x.1), e)) AS gaps,
            -- The latest origin seen since the last gap, up to and including each event.
            arrayMap(x -> x.1, arrayFill(x -> x.1 != 0 OR x.2, arrayMap((x, gap) -> (x.6, gap > 1800000), e, gaps))) AS origins,
            if(stream != 0, [toUInt32(1)],
               arrayFilter((i, x, gap) -> i = 1 OR gap > 1800000 OR (x.6 != 0 AND x.6 != origins[i - 1]), arrayEnumerate(e), e, gaps)) AS starts,
            arrayMap((i, next) ->
                (if(stream != 0, stream, cityHash64(visitor, e[i].2)), arraySlice(e, i, next - i)),
                starts, arrayPushBack(arrayPopFront(starts), toUInt32(length(e) + 1))) AS found
        FROM streams
        LEFT JOIN known USING (shop, visitor, stream)
    ),
    sorted AS
    (
        SELECT
            shop, visitor, stream,
            -- Anything but growth at the end may change what a cart or an order says of its session.
            notEmpty(old) AND (
                arrayMap(k -> (k.1, k.2, k.3), old) != arrayMap(f -> (f.1, f.2[1].2, f.2[1].1), arraySlice(found, 1, length(old)))
                OR length(found) > length(old) AND found[length(old) + 1].2[1].1 <= old[-1].4) AS rearranged,
            arrayJoin(arrayConcat(
                found,
                arrayMap(k -> (k.1, arraySlice(e, 1, 0)), arrayFilter(k -> k.3 >= {horizon:DateTime64(3)} AND NOT has(arrayMap(f -> f.1, found), k.1), old)))) AS s,
            s.2 AS es
        FROM cut
    )
SELECT
    shop, visitor, s.1, stream != 0,
    es[1].2, es[1].1, es[-1].1,
    arrayFirst(x -> x.4 != '', es).4, es[1].5, es[1].7, es[1].8, es[1].9, es[1].10, es[1].11, es[1].12,
    arraySum(x -> x.3, es), length(es), arrayExists(x -> x.13 != 0, es), arrayExists(x -> x.14 != 0, es),
    if(rearranged, {batch:String}, ''),
    toUInt64(toUnixTimestamp64Nano(now64(9))),
    empty(es)
FROM sorted
WHERE stream != 0 OR empty(es) OR es[1].1 >= {horizon:DateTime64(3)}
