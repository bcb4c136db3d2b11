"""The command lines: what the three packages share (errors, parsing, topics, output), and the pages and files of shared_specs."""
