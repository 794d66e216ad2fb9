"""Operations with a definition in plain torch and, where there is one, a faster kernel of the same result."""

from otowake.ops.covariance import weighted_covariance
from otowake.ops.demix import abs2, demixed
from otowake.ops.ratio import factor_ratio
from otowake.ops.registry import OPS, Op
from otowake.ops.sweep import ip1_sweep, iss1_sweep

__all__ = ["OPS", "Op", "abs2", "demixed", "factor_ratio", "ip1_sweep", "iss1_sweep", "weighted_covariance"]
