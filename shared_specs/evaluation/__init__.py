"""Specs, evaluation of generative models: what every score, distance and likelihood must satisfy."""
