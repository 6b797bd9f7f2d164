INSERT INTO touched (batch, kind, shop, key, sub, writer)
