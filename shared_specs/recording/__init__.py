"""The reference's answers as files of the package: what judges NumPy code where JAX is not installed."""
