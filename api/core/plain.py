"""Text from elsewhere, as it may be shown."""


def plain(text: str) -> str:
    """The text with what a terminal would act on, and what would change how the rest reads, escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
