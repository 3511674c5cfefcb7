"""The one error that a text which is no EDTF raises."""

_SHOWN_CHARACTERS = 80


class EdtfError(ValueError):
    """A text that is no EDTF expression: where it goes wrong, what stands there, what was expected.

    Attributes:
        text: The whole text as given.
        position: Where the first wrong character or part begins, counted from 0.
        found: What stands there; empty at the end of the text.
        expected: What might have stood there, in English.
        hint: How to write what seems to be meant; empty where that is not evident.
    """

    def __init__(self, text: str, position: int, found: str, expected: str, hint: str = "") -> None:
        super().__init__(text, position, found, expected, hint)
        self.text = text
        self.position = position
        self.found = found
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        found = repr(_shortened(self.found)) if self.found else "the end"
        hint = f"; {self.hint}" if self.hint else ""
        return (
            f"{_shortened(self.text)!r} is no date: at position {self.position} expected {self.expected}, "
            f"found {found}{hint}"
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
