"""Simulated rooms: mixtures whose parts are known.  Needs the extra: pip install 'otowake[simulate]'."""

from otowake.simulate.places import around, circular, linear, middle
from otowake.simulate.room import Room, Scene, simulate

__all__ = ["Room", "Scene", "around", "circular", "linear", "middle", "simulate"]
