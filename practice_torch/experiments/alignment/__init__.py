"""Language models that are tuned: to demonstrations, to preferences, to rewards."""
