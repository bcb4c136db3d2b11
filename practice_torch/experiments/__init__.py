"""What is trained: recipe, experiment and `build` of every topic that trains something, under the topic's own path."""
