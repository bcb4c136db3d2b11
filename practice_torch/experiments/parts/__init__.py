"""Shared code of experiments: sampling loops, decoding, adversarial turns, evaluation of samples, studies."""
