"""Exercises, foundations: maximum likelihood, Jensen's inequality, f-divergences, variational bounds."""
