"""A lecture as its readers see it: on a terminal, in HTML, in TeX, as JSON."""
