"""What the rules of a policy are written with: texts and lists of them, none without a limit."""

from typing import Annotated

from msgspec import Meta

MAX_TEXT = 4_000

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=1_000)]
