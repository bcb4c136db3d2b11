"""Networks that several topics share, and the layers they are made of; they know no topic."""
