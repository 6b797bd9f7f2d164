INSERT INTO consent_counts (shop, hour, purpose, decision, key, count)
