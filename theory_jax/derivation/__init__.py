"""Lectures and the execution of their lines: notation, chains, steps, bridges, mutants. In SymPy and JAX."""
