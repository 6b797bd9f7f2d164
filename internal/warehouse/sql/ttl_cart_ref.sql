ALTER TABLE {table:Identifier} MODIFY COLUMN cart_ref TTL toDateTime({time:Identifier}) + toIntervalSecond({seconds:UInt32})
