"""What is trained in preference optimization: a language model on text, and then on pairs of its own completions."""
