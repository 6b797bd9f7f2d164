-- Seconds since the last beat; of a lock that was just made and has not beaten, since it was made.
SELECT toFloat64(now64(3)) - greatest(
    (SELECT toFloat64(max(at)) FROM migration_lock),
    (SELECT toFloat64(max(metadata_modification_time)) FROM system.tables WHERE database = currentDatabase() AND name = 'migration_lock'))
