INSERT INTO batches (batch, writer) SELECT {batch:String}, {writer:UInt64}
