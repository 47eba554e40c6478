"""What goes wrong with data: one error, one line, naming the column, the rows and the remedy."""


class BadData(ValueError):
    """The data or the question cannot be analysed as given; the message is the line a person reads."""
