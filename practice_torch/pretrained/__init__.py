"""Published weights in and out: the folders, configurations and layouts in which others keep networks that are built here."""
