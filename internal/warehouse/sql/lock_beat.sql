INSERT INTO migration_lock (owner) SELECT {owner:String}
