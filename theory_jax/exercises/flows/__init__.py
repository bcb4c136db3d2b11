"""Exercises, flows: invertible maps with known determinants, and continuous flows."""
