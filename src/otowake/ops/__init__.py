"""Operations with a definition in plain torch and, where there is one, a faster kernel of the same result."""

from otowake.ops.angular import angular_posterior
from otowake.ops.covariance import weighted_covariance
from otowake.ops.demix import abs2, abs2_by_bin, demixed, demixed_by_frame, demixed_power, demixed_radius
from otowake.ops.factored import factored_activations, factored_bases, factored_moved
from otowake.ops.frames import overlap_added, reframed
from otowake.ops.full import full_halves, full_turned
from otowake.ops.fused import demixed_step, modelled_cost, modelled_covariance, unit_rows
from otowake.ops.joint import joint_activations, joint_bases, joint_shares, joint_weight
from otowake.ops.matrices import inverse, log_abs_det
from otowake.ops.prox import log_det_prox
from otowake.ops.ratio import (
    bases_ratio,
    factor_ratio,
    factors_moved,
    gains_ratio,
    raised,
    rho,
    slope_cost,
    slope_weight,
)
from otowake.ops.registry import OPS, Op, constants
from otowake.ops.splitting import dual_ahead, dual_pull, dual_step, frame_sizes, norm
from otowake.ops.sweep import ip1_sweep, ip2_sweep, iss1_sweep

__all__ = [
    "OPS",
    "Op",
    "abs2",
    "abs2_by_bin",
    "angular_posterior",
    "bases_ratio",
    "constants",
    "demixed",
    "demixed_by_frame",
    "demixed_power",
    "demixed_radius",
    "demixed_step",
    "dual_ahead",
    "dual_pull",
    "dual_step",
    "factor_ratio",
    "factored_activations",
    "factored_bases",
    "factored_moved",
    "factors_moved",
    "frame_sizes",
    "full_halves",
    "full_turned",
    "gains_ratio",
    "inverse",
    "ip1_sweep",
    "ip2_sweep",
    "iss1_sweep",
    "joint_activations",
    "joint_bases",
    "joint_shares",
    "joint_weight",
    "log_abs_det",
    "log_det_prox",
    "modelled_cost",
    "modelled_covariance",
    "norm",
    "overlap_added",
    "raised",
    "reframed",
    "rho",
    "slope_cost",
    "slope_weight",
    "unit_rows",
    "weighted_covariance",
]
