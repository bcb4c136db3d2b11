"""Pages about trained models: the report of a run, comparisons of runs, and pages of projects."""
