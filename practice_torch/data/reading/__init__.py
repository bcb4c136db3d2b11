"""Reads the user's files: images, sounds, arrays, tables and tokenizers, with one-line errors."""
