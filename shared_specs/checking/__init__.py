"""Rows become verdicts: the reference is measured, tolerances are derived, and implementations are compared."""
