"""Networks that several topics share, in flax, and what they are made of."""
