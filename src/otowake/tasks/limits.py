"""How many sources can be asked for, and whether they fit into the memory: refused before anything is made."""

import inspect
import os
from pathlib import Path

from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.recipes import RECIPES, Recipe
from otowake.signal.stft import Stft

MOST_SOURCES = {"one": 1000, "any": 64}
"""By what a recipe takes: more than 64 sounds are patterns of one channel, not talkers."""
_LEAST_NUMBERS = 3  # that every method keeps of a source in each bin and frame: its power and its image, complex
_GIB = 2**30


def check_sources(chosen: Recipe, sources: int | None) -> None:
    """Before there is a spectrogram; that demixing needs a microphone for each is seen to in `prepare`."""
    most = MOST_SOURCES.get(chosen.takes)
    if sources is not None and not 1 <= sources <= (most or sources):
        asked = f"1 to {most}" if most else "1 or more"
        raise OtowakeError(f"{sources} sources cannot be separated by {chosen.name}; ask for {asked}.")


def check_fits(chosen: Recipe, x: Tensor, sources: int | None, stft: Stft) -> None:
    """Refuses what would need more memory than there is, by what it needs at least; x: *b channels samples."""
    items, channels = x[..., 0, 0].numel(), x.shape[-2]
    sources = sources or channels
    sources = sources if chosen.takes in MOST_SOURCES else min(sources, channels)  # more are refused by `prepare`
    frames = stft.frames(x.shape[-1])
    needed, there = 8 * _LEAST_NUMBERS * items * sources * stft.bins * frames, memory()
    if there is not None and needed > there:
        raise OtowakeError(
            f"{chosen.name} needs {needed / _GIB:.3g} GiB of memory or more for {sources} sources, {frames} frames and "
            f"{stft.bins} bins, and there are {there / _GIB:.3g}; ask for fewer sources, or take a shorter recording."
        )


def memory() -> int | None:
    """Bytes of this machine, or of the container that this runs in; None where nobody tells."""
    known = []
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        known.append(int(text))
    return min((size for size in known if size > 0), default=None)


def free_of_microphones() -> str:
    """The methods that take more sources than microphones, as a list in words."""
    free = [one for one in RECIPES.values() if one.takes == "any"]
    names = [one.name for one in free if "sources" in inspect.signature(one.build).parameters]
    return f"{', '.join(names[:-1])} or {names[-1]}"
