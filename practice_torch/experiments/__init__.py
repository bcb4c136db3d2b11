"""Experiments: recipes, experiment and `build` of every topic that trains something, under the topic's path."""
