"""Parts of the command line: parsing, errors, and what the commands print and write."""
