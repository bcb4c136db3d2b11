"""Exercises, state-space models: linear systems, their discretization, convolutions and scans."""
