ALTER TABLE {table:Identifier} MODIFY COLUMN cart_ref REMOVE TTL
