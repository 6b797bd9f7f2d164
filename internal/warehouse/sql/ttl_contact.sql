ALTER TABLE {table:Identifier} MODIFY COLUMN contact TTL toDateTime({time:Identifier}) + toIntervalSecond({seconds:UInt32})
