"""`prepare`: data too large for memory become folders of shards that training streams from."""
