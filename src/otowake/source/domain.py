"""The domain of a factorisation: r = R^(2/p), where the nonnegative parts of a model add up to R."""

from otowake.core.errors import OtowakeError
from otowake.core.method import Split
from otowake.core.types import Half, Power


def checked(model: str, bases: int, domain: float) -> None:
    """Refuse what cannot be factorised."""
    if not 1 <= bases <= 10_000:
        raise OtowakeError(f"{model}: bases must be from 1 to 10000, got {bases}; try 2 for speech, 10 for music.")
    if not 0.1 <= domain <= 10:
        raise OtowakeError(f"{model}: the domain must be from 0.1 to 10, got {domain:g}; 2 adds up powers.")


def to_power(R: Power, p: float) -> Power:
    """r = R^(2/p)."""
    return R if p == 2 else R ** (2 / p)


def pulled_back(r: Power, split: Split, p: float) -> tuple[Half, Half]:
    """neg dr/dR and pos dr/dR, up to a constant: dr/dR ~ R^(2/p - 1) = r^(1 - p/2)."""
    neg, pos = split(r)
    if p == 2:
        return neg, pos
    J = r ** (1 - p / 2)
    return neg * J, pos * J
