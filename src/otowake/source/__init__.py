"""Source models: how much power each sound may have in each bin."""

from otowake.core.method import SourceModel
from otowake.source.flat import Flat
from otowake.source.frame import Frame
from otowake.source.nmf import Nmf
from otowake.source.partitioned import Partitioned
from otowake.source.stack import Stack

SOURCES: dict[str, SourceModel] = {
    "nmf": Nmf(2),
    "nmf-amplitude": Nmf(2, domain=1.0),
    "flat": Flat(),
    "frame": Frame(),
    "partitioned": Partitioned(5),
}
"""Every source model, with the parameters that the laws are tried with."""

__all__ = ["SOURCES", "Flat", "Frame", "Nmf", "Partitioned", "Stack"]
