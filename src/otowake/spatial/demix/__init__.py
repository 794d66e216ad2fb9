"""Demixing updates: functions (X, W, phi) -> W that know weights and nothing of the density behind them."""

from otowake.spatial.demix.gip import GIP
from otowake.spatial.demix.ip import ip1, ip2
from otowake.spatial.demix.ipa import ipa
from otowake.spatial.demix.iss import iss1, iss2
from otowake.spatial.demix.update import Demix

DEMIXES: dict[str, Demix] = {"ip1": ip1, "ip2": ip2, "iss1": iss1, "iss2": iss2, "ipa": ipa}
"""Every update for a quadratic surrogate; `GIP(shape)` is for degree `shape` above 2."""

__all__ = ["DEMIXES", "GIP", "Demix", "ip1", "ip2", "ipa", "iss1", "iss2"]
