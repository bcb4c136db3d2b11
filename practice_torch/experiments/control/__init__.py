"""Control tasks: environments, actors, and the steps that an actor takes in many copies of a task."""
