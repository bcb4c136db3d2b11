"""Training loops of the topics of this family."""
