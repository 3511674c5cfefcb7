"""The expression: an EDTF date as the rest of the service sees it."""

from dataclasses import dataclass, field
from functools import total_ordering

from service.dates.bounds import Bounds
from service.dates.pieces import Piece, pieces_of
from service.dates.traits import Precision, flags_of, level_of, precision_of
from service.dates.tree import APPROXIMATE, UNCERTAIN, DateSet, Tree


@total_ordering
@dataclass(frozen=True, slots=True)
class Expression:
    """An EDTF expression: immutable, hashable, equal to another of the same canonical text, sorted by time.

    The canonical text is the expression as written, but for qualifiers: the same one on all parts stands once
    at the end; the same one on the first parts alone, once after the last of them; any others each before its
    own part. So `?2004-?06` is `2004-06?`, and `2004?-06~-11` is `%2004-~06-11`.

    Attributes:
        edtf: The canonical text.
        bounds: The four instants between which it starts and ends.
        tree: What it consists of.
    """

    edtf: str
    bounds: Bounds = field(compare=False, repr=False)
    tree: Tree = field(compare=False, repr=False)

    @property
    def level(self) -> int:
        """The lowest EDTF level, 0 to 2, at which it can be written."""
        return level_of(self.tree)

    @property
    def precision(self) -> Precision:
        """The calendar unit to which it is known; of several dates, the coarsest."""
        return precision_of(self.tree)

    @property
    def approximate(self) -> bool:
        """Whether any part is qualified as approximate, by `~` or `%`."""
        return bool(flags_of(self.tree) & APPROXIMATE)

    @property
    def uncertain(self) -> bool:
        """Whether any part is qualified as uncertain, by `?` or `%`."""
        return bool(flags_of(self.tree) & UNCERTAIN)

    @property
    def every(self) -> bool:
        """Whether it is a set all members of which happen, `{…}`; then so does something in each piece."""
        return isinstance(self.tree, DateSet) and self.tree.every

    @property
    def pieces(self) -> tuple[Piece, ...] | None:
        """The half-open pieces of time that it leaves possible, in order, at most 64; None without a gap."""
        return pieces_of(self.tree)

    def __str__(self) -> str:
        return self.edtf

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return (self.bounds, self.edtf) < (other.bounds, other.edtf)
