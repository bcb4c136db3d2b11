"""Errors in data: one line with the place, the value found, the values allowed and a remedy."""

LONGEST = 480  # characters: a path alone may have 4096; its end and the remedy must remain


class DataError(ValueError):
    """The data cannot be used; the command line prints only the message and exits with 3.

    The message is one printable line, for any names or texts of other libraries in it.
    """

    def __init__(self, message):
        super().__init__(one_line(message, LONGEST))


def one_line(text, longest):
    """The text as one line of at most `longest` characters: unprintable characters are escaped, a long middle is omitted."""
    line = "".join(mark if mark.isprintable() else _escaped(mark) for mark in str(text))
    return line if len(line) <= longest else f"{line[: longest // 2 - 5]} [...] {line[-longest // 2 + 5 :]}"


def _escaped(mark):
    """Escaped for the terminal; non-UTF-8 bytes of a file name, U+DC80..U+DCFF in Python, are printed as bytes."""
    number = ord(mark)
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else mark.encode("unicode_escape").decode()
