"""Exercises, diffusion models: schedules, both processes, objectives, U-Net, samplers, guidance."""
