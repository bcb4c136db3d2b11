"""Flows: invertible maps with known determinants, and continuous flows."""
