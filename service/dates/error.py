"""The one error that a text which is no EDTF raises."""

_SHOWN_CHARACTERS = 80


class EdtfError(ValueError):
    """A text that is no EDTF expression: where it goes wrong, what stands there, what was expected.

    Attributes:
        text: The whole text as given.
        position: Where the first wrong character or part begins, counted from 0.
        found: What stands there; empty at the end of the text.
        expected: What might have stood there, in English.
    """

    def __init__(self, text: str, position: int, found: str, expected: str) -> None:
        super().__init__(text, position, found, expected)
        self.text = text
        self.position = position
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        found = repr(_shortened(self.found)) if self.found else "the end"
        return (
            f"{_shortened(self.text)!r} is no date: at position {self.position} expected {self.expected}, found {found}"
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
