"""The methods of enhancement, what is read from their tables, and those of sounds."""
