"""Derivations that run in the page: Python and SymPy in the reader's browser execute the chains of a lecture."""
