ALTER TABLE {table:Identifier} MODIFY COLUMN contact REMOVE TTL
