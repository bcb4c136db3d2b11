"""What a lecture is, and how each of its lines is executed: notation, chains, steps, bridges, mutants. In SymPy and JAX."""
