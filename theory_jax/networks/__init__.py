"""Networks shared by several topics, in flax, and their parts."""
