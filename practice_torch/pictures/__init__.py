"""Figures of measurements: arrays in, artifacts out; they know no topic."""
