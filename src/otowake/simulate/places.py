"""Where microphones and sources stand: positions in metres, one column a point, and what is wrong with them.

Angles are degrees; azimuth 0 looks along the room's first side, as a linear array does by default, so that 90
degrees is straight in front of the array.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from otowake.core.errors import OtowakeError

Points = Float[np.ndarray, "3 _"]
Numbers = Sequence[float] | np.ndarray

MIDDLE = (0.48, 0.45, 0.47)  # of the sides: in the exact middle, mirrored reflections would arrive as one
MOST = 64  # microphones of an array: more channels no file of ours holds
CLOSEST = 0.01  # metres between a source and a microphone: nearer, the spherical wave has no sensible level


def linear(count: int, spacing: float, centre: Numbers, angle: float = 0.0) -> Points:
    """(3, count) positions on a level line through `centre`, `spacing` metres apart, turned by `angle`."""
    _check_array(count, spacing, "spacing")
    along = (np.arange(count) - (count - 1) / 2) * spacing
    return _centre(centre) + along * _direction([angle])


def circular(count: int, radius: float, centre: Numbers) -> Points:
    """(3, count) positions on a level circle of `radius` metres around `centre`, the first at azimuth 0."""
    _check_array(count, radius, "radius")
    return _centre(centre) + radius * _direction(np.arange(count) * 360.0 / count)


def around(centre: Numbers, azimuths: Numbers, distance: float, height: float = 0.0) -> Points:
    """(3, n) positions at these azimuths, `distance` metres from `centre` along the floor, `height` above."""
    if not distance > 0:
        raise OtowakeError(f"The sources are {distance:g} m from the array: give a distance above 0.")
    if not np.isfinite(azimuths).all():
        raise OtowakeError(f"The azimuths {', '.join(f'{a:g}' for a in azimuths)} are not all angles: give degrees.")
    raised = np.array([[0.0], [0.0], [height]])
    return _centre(centre) + distance * _direction(azimuths) + raised


def middle(size: Sequence[float]) -> tuple[float, float, float]:
    """A place for an array just off the middle of a room of these sides in metres."""
    check_size(size)
    x, y, z = (share * side for share, side in zip(MIDDLE, size, strict=True))
    return x, y, z


def azimuths(sources: Points, microphones: Points) -> Float[np.ndarray, "n"]:
    """(n,) degrees in which the sources are seen from the middle of the microphones."""
    x, y, _ = sources - microphones.mean(1, keepdims=True)
    return np.rad2deg(np.arctan2(y, x))


def check_size(size: Sequence[float]) -> None:
    if len(size) != 3 or not all(np.isfinite(side) and side > 0 for side in size):
        raise OtowakeError(f"The room measures {sides(size)}: give three sides above 0, as in 6 x 5 x 3 m.")


def check_inside(what: str, points: Points, size: Sequence[float]) -> None:
    """Refuses points, called `what` in the sentence, that are not within the room."""
    if points.ndim != 2 or points.shape[0] != 3 or points.shape[1] == 0:
        raise OtowakeError(f"{what} positions have the shape {points.shape}: give (3, count), in metres.")
    inside = ((points > 0) & (points < np.array(size)[:, None])).all(0)
    if not inside.all():
        k = int(np.argmin(inside))
        where = f"{what} {k + 1} at ({', '.join(f'{x:.2f}' for x in points[:, k])}) m"
        raise OtowakeError(f"{where} is outside the room of {sides(size)}: move it inside.")


def check_apart(sources: Points, microphones: Points) -> None:
    gap = np.linalg.norm(sources[:, :, None] - microphones[:, None, :], axis=0)
    if gap.min() < CLOSEST:
        n, m = np.unravel_index(gap.argmin(), gap.shape)
        where = f"Microphone {m + 1} is on top of source {n + 1}, {gap.min() * 100:.1f} cm away"
        raise OtowakeError(f"{where}: keep at least {CLOSEST * 100:g} cm between them.")


def sides(size: Sequence[float]) -> str:
    return " x ".join(f"{side:g}" for side in size) + " m"


def _check_array(count: int, size: float, word: str) -> None:
    if not 1 <= count <= MOST:
        raise OtowakeError(f"The array has {count} microphones: give 1 to {MOST}.")
    if not size > 0:
        raise OtowakeError(f"The array's {word} is {size:g} m: give one above 0.")


def _centre(centre: Numbers) -> Points:
    return np.asarray(centre, dtype=np.float64).reshape(3, 1)


def _direction(azimuths: Numbers) -> Points:
    phi = np.deg2rad(np.asarray(azimuths, dtype=np.float64))
    return np.stack([np.cos(phi), np.sin(phi), np.zeros_like(phi)])
