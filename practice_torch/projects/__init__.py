"""Projects: several models of one task, trained, compared and reported by one command. A file is a project; it has a PROJECT."""
