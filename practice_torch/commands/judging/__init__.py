"""Blind comparisons of samples by people: the pairs, the page that shows them, and what the verdicts say."""
