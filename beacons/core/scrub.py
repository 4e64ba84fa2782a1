"""What is kept of an error's text: words, with placeholders for all that may be a visitor's or a page's.

Errors that are the same are of the same text then, so they can be grouped. A word that is none of what is looked
for stays: no rule tells a name from a word.
"""

import re

MAX_MESSAGE = 300
"""The most characters of a message that are kept."""
MAX_KIND = 64
MAX_FUNCTION = 64

_LONGEST_WORD = 32
# To the closing mark, or where there is none to the end; to the end too behind an escaped mark, as then no rule
# tells which mark closes what. An apostrophe within a word is no mark. Languages pair the others in all ways.
_DOUBLE = "\u00ab\u00bb\u201c-\u201f\u2039\u203a\u300c-\u300f\uff02"
_SINGLE = "\u2018-\u201b"
_QUOTED = re.compile(
    r'"(?:[^"\\]|\\(?!"))*+(?:"|\\".*|\Z)'
    r"|`(?:[^`\\]|\\(?!`))*+(?:`|\\`.*|\Z)"
    r"|(?<!\w)'(?:[^'\\]|\\(?!')|'(?=\w))*+(?:'|\\'.*|\Z)"
    rf"|[{_DOUBLE}][^{_DOUBLE}]*+(?:[{_DOUBLE}]|\Z)"
    rf"|(?<!\w)[{_SINGLE}](?:[^{_SINGLE}]|\u2019(?=\w))*+(?:[{_SINGLE}]|\Z)",
    re.DOTALL,
)
_HEX = re.compile(r"[^a-z]*+[a-f]{8,}+[^a-z]*+", re.IGNORECASE)  # of one without a digit
_BEFORE_A_URL = ("www.", "data:", "blob:")
# Names of the language's or the SDK's; three digits in a row could be somebody's number.
_NAME = re.compile(r"(?!.*[0-9]{3})[A-Za-z_$][A-Za-z0-9_$.]*")


def scrub(text: str) -> str:
    """The text as it may be kept, on one line. It holds no digit, no '@', no '/' and no quotation mark."""
    kept: list[str] = []
    length = 0
    for word in _QUOTED.sub("<text>", text).split():
        placed = _placed(word)
        if kept and placed == kept[-1] and placed.startswith("<"):
            continue  # as of a telephone number's parts
        length += len(placed) + 1
        if length > MAX_MESSAGE + 1:
            break
        kept.append(placed)
    return " ".join(kept)


def is_kind(text: str) -> bool:
    """True for the name of a class of errors, as TypeError."""
    return len(text) <= MAX_KIND and bool(_NAME.fullmatch(text))


def function_name(text: str) -> str:
    """The function's name where it is plain, else ''."""
    return text if len(text) <= MAX_FUNCTION and _NAME.fullmatch(text) else ""


def _placed(word: str) -> str:
    """The word, or what stands in its place."""
    lowered = word.lower()
    if "/" in word or "\\" in word or lowered.startswith(_BEFORE_A_URL):
        return "<url>"
    if "@" in word:
        return "<address>"
    if any(character.isdigit() for character in word) or _HEX.fullmatch(word):
        return "<n>"
    is_value = "=" in word or ":" in word.rstrip(":")
    if is_value or len(word) > _LONGEST_WORD or not (word.isascii() and word.isprintable()):
        return "<text>"
    return word
