SELECT groupUniqArray(batch) FROM batches WHERE at > now() - INTERVAL 15 MINUTE AND writer != {writer:UInt64}
