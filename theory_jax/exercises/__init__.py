"""The exercises of lectures: a file for each topic, which adds them to the derivation of its lecture."""
