"""The hinge: the contracts of both wings, as rows, and the commands that check, show, grade and export it."""
