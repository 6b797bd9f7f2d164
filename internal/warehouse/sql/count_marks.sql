SELECT count() FROM touched WHERE batch = {batch:String}
