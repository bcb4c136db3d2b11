"""What goes wrong with data: one line that says where, what was found, what is allowed and the mend."""


class DataError(ValueError):
    """The data, not the program, is at fault; the command line prints the message alone and exits with 3."""
