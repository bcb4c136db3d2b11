"""Prepared data behind a URL (an object store): shards are copied to a bounded folder on the local disk ahead of their use."""
