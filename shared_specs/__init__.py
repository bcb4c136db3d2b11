"""The hinge: what must hold of both wings, as rows, and the commands that check, show, grade and export it."""
