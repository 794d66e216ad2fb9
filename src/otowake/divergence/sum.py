"""Several divergences added up; the sum of two Bregman divergences is that of the sum of their generators.

Cost     d(v | r) = sum_i d_i(v | r)
Split    neg = sum_i neg_i,  pos = sum_i pos_i
Powers   from the lowest of all to the highest: the bound with wider powers lies above each part's own

Source   sums of Bregman divergences: Dhillon & Sra 2005; the powers: docs/papers/divergences.md
"""

from dataclasses import dataclass

from otowake.core.errors import OtowakeError
from otowake.core.method import Divergence, Split, SplitGradient
from otowake.core.types import Cost, Power


@dataclass(frozen=True)
class Sum:
    """The sum of divergences that move by ratios: all but `DualKl`.

    Args:
        parts: two or more.
    """

    parts: tuple[Divergence, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise OtowakeError(f"Sum: give two divergences or more, not {len(self.parts)}.")

    def cost(self, v: Power, r: Power) -> Cost:
        """Sum of d(v | r) over sources, bins and frames."""
        return self.each(v, r).sum((-3, -2, -1))

    def each(self, v: Power, r: Power) -> Power:
        """d(v | r) of each bin."""
        first, *others = (part.each(v, r) for part in self.parts)
        return sum(others, first)

    def split(self, v: Power) -> Split:
        """The split gradient of `cost` in r."""
        splits = [part.split(v) for part in self.parts]
        for split in splits:
            split.by_ratios("A sum of divergences")

        def at(r: Power) -> SplitGradient:
            negs, poss = zip(*(split(r) for split in splits), strict=True)
            return SplitGradient(sum(negs[1:], negs[0]), sum(poss[1:], poss[0]))

        low, high = (pick(split.powers[n] for split in splits) for n, pick in ((0, min), (1, max)))
        return Split(at, (low, high))
