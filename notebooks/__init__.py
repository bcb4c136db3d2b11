"""A notebook of every topic, written from the sources: `make notebooks`."""
