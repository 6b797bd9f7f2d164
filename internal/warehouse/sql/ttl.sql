ALTER TABLE {table:Identifier} MODIFY TTL toDateTime({time:Identifier}) + toIntervalSecond({seconds:UInt32})
