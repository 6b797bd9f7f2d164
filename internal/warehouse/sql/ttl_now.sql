-- How many seconds a table's rows, or one column's values, are kept now; 0 for ever.
SELECT toInt64OrZero(if({column:String} = '',
    extract(engine_full, 'TTL toDateTime\\(\\w+\\) \\+ toIntervalSecond\\(\\D*(\\d+)'),
    extract(create_table_query, concat('`', {column:String}, '` String CODEC\\(ZSTD\\(1\\)\\) TTL toDateTime\\(\\w+\\) \\+ toIntervalSecond\\(\\D*(\\d+)'))))
FROM system.tables
WHERE database = currentDatabase() AND name = {table:String}
