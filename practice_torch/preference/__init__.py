"""Functions and networks, preference optimization: rewards from comparisons, policies from rewards or from comparisons."""
