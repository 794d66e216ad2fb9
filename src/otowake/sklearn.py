"""The face of scikit-learn: `from otowake.sklearn import NMF` in place of `from sklearn.decomposition import NMF`.

X ~ W H with samples in rows.  What is named as in scikit-learn means the same; beyond it: missing values (NaN),
weights, every divergence, penalties, updates, and any device.  Needs `pip install 'otowake[sklearn]'`.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, check_non_negative, validate_data
from torch import Tensor

from otowake.core.errors import OtowakeError
from otowake.core.separator import Separator, SeparatorState
from otowake.divergence.beta import Beta
from otowake.divergence.penalty import Elastic, Penalty
from otowake.linalg.safe import variance_floor
from otowake.online import Online, begun, memory_of
from otowake.source.nmf import Given, Nmf, NmfState
from otowake.source.start import nndsvd
from otowake.source.step import RULES
from otowake.spatial.masked import Masked
from otowake.spatial.observed import Observed

NAMES = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}
STARTS = ("random", "nndsvd", "nndsvda", "custom")
CHECK = 10  # iterations between looks at the cost


class NMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Nonnegative matrix factorisation, X ~ W H.

    Args:
        n_components: rows of H; "auto": as many as X has columns, or as a custom H has rows.
        init: "random", "nndsvd", "nndsvda", "custom" (W and H given to `fit_transform`), or None: nndsvda where X has
            as many rows and columns as components and no value is missing, else random.
        beta_loss: "frobenius", "kullback-leibler", "itakura-saito", a number, or any divergence of otowake.
        update: "mm" (never raises the cost), "heuristic" or "me".
        tol: stop when ten iterations bring less than this share of the first cost; 0: never.
        max_iter: iterations of `fit`, and of `transform`.
        random_state: of a random start.
        alpha_W, alpha_H, l1_ratio: shrinkage, scaled as scikit-learn does; alpha_H="same" is alpha_W.
        penalties: otowake's penalties on bases (columns of Hᵀ) and activations (rows of Wᵀ).
        device: "cpu" or "cuda".
        n_init: random starts of `fit`; the one that ends with the lowest cost is taken.
        forget_factor: from 0 to 1, what earlier batches still count in `partial_fit` when another one has come.

    Attributes:
        components_: H, (n_components_, n_features_in_).
        reconstruction_err_: sqrt(2 d(X | W H)), missing values left out.
        n_components_, n_iter_, n_features_in_, feature_names_in_: as everywhere in scikit-learn.
        n_steps_: how many batches `partial_fit` was given.

    NaN in X is a missing value.  Zeros are raised to 1e-10 of the mean: some divergences have no value at 0.
    """

    def __init__(
        self,
        n_components: int | str | None = "auto",
        *,
        init: str | None = None,
        beta_loss: Any = "frobenius",
        update: str = "mm",
        tol: float = 1e-4,
        max_iter: int = 200,
        random_state: Any = None,
        alpha_W: float = 0.0,
        alpha_H: float | str = "same",
        l1_ratio: float = 0.0,
        penalties: Sequence[Penalty] = (),
        device: str = "cpu",
        n_init: int = 1,
        forget_factor: float = 0.7,
    ) -> None:
        self.n_components = n_components
        self.init = init
        self.beta_loss = beta_loss
        self.update = update
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.penalties = penalties
        self.device = device
        self.n_init = n_init
        self.forget_factor = forget_factor

    def fit(self, X: Any, y: Any = None, *, weights: Any = None) -> "NMF":
        """Learn H.  X: (samples, features), >= 0, NaN is missing; weights: of X's shape or broadcasting to it."""
        self._fitted(X, None, None, weights)
        return self

    def fit_transform(self, X: Any, y: Any = None, W: Any = None, H: Any = None, *, weights: Any = None) -> Any:
        """Learn H and give back W, (samples, n_components_): what `transform` gives for the same X."""
        return self._activations(*self._fitted(X, W, H, weights))

    def partial_fit(self, X: Any, y: Any = None, W: Any = None, H: Any = None, *, weights: Any = None) -> "NMF":
        """Go on learning H from more samples, which need never be there all at once; after `fit` from what it found.

        X, weights: as for `fit`;  W, H: for init="custom", with the first batch.
        """
        first = not hasattr(self, "components_")
        X = self._checked(X, reset=first)
        v, w = _transposed(X, weights)
        k = self._how_many(X, H) if first else self._n_features_out
        if first:
            self._seen = begun(self._first(v, w, *self._start(X, v, w, k, W, H, check_random_state(self.random_state))))
        if not 0 <= self.forget_factor <= 1:
            raise ValueError(f"forget_factor is {self.forget_factor!r}; it is a number from 0 to 1.")
        learner = Online(self._source(v, k), self._spatial(w), memory_of(self.forget_factor, len(X)))
        seen = self._seen._replace(**{name: getattr(self._seen, name).to(v.dtype) for name in self._seen._fields[:-1]})
        self._seen = learner.step(v.sqrt()[None].to(self.device), seen)
        self.n_components_, self.components_ = k, _numpy(self._seen.B[0].mT, X)
        self.n_steps_ = getattr(self, "n_steps_", 0) + 1
        return self

    def _fitted(self, X: Any, W: Any, H: Any, weights: Any) -> tuple[Any, Tensor, Tensor]:
        """Learn H; X as it was checked, and what it is inside."""
        X = self._checked(X, reset=True)
        v, w = _transposed(X, weights)
        k = self._how_many(X, H)
        if isinstance(self.n_init, bool) or not isinstance(self.n_init, int | np.integer) or self.n_init < 1:
            raise ValueError(f"n_init is {self.n_init!r}; it is a whole number above 0.")
        random = check_random_state(self.random_state)
        starts = self.n_init if self._init(X, w, k) == "random" else 1
        source, spatial = self._source(v, k), self._spatial(w)
        method = Separator(source, spatial)
        runs = []
        for _ in range(starts):
            z, count = self._run(v, method, self._first(v, w, *self._start(X, v, w, k, W, H, random)), self.tol)
            cost = float(method.cost(v.sqrt()[None].to(self.device), SeparatorState(z, None))) if starts > 1 else 0.0
            runs.append((cost, z, count))
        _, z, self.n_iter_ = min(runs, key=lambda run: run[0])
        self._seen = Online(source, spatial).seen(v.sqrt()[None].to(self.device), z)
        if hasattr(self, "n_steps_"):
            del self.n_steps_
        self.n_components_, self.components_ = k, _numpy(z.B[0].mT, X)
        self.reconstruction_err_ = self._error(v, w, z)
        if self.tol > 0 and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"NMF used all of its max_iter={self.max_iter} iterations; the cost may still fall: allow more.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return X, v, w

    def transform(self, X: Any, *, weights: Any = None) -> Any:
        """W of other samples for the H that was learned: max_iter iterations from a constant for each sample."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        return self._activations(X, *_transposed(X, weights))

    def _activations(self, X: Any, v: Tensor, w: Tensor) -> Any:
        B = torch.from_numpy(np.ascontiguousarray(self.components_.T).astype(X.dtype))
        level = (w * v).sum(0) / (w.sum(0) * B.sum(-1).mean()).clamp_min(torch.finfo(v.dtype).tiny)
        z = self._first(v, w, B, level.expand(B.shape[-1], -1).clone())
        z, _ = self._run(v, Separator(self._source(v, B.shape[-1], Given(B)), self._spatial(w)), z, 0.0)
        return _numpy(z.H[0].mT, X)

    def inverse_transform(self, X: Any) -> Any:
        """W H.  X: W, (samples, n_components_)."""
        check_is_fitted(self)
        return check_array(X) @ self.components_

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # ---- inside: v = X^T, bases B = H^T, activations A = W^T ---------------------------------------------------

    def _source(self, v: Tensor, k: int, given: Given | None = None) -> Nmf:
        if self.update not in RULES:
            raise ValueError(f"update is {self.update!r}; it is one of {', '.join(RULES)}.")
        return Nmf(k, rule=RULES[self.update], penalties=self._penalties(v), given=given)

    def _spatial(self, w: Tensor) -> Observed | Masked:
        spatial = Observed(self._divergence(), 1)
        return spatial if bool((w == 1).all()) else Masked(spatial, w.to(self.device))

    def _run(self, v: Tensor, method: Separator, z: NmfState, tol: float) -> tuple[NmfState, int]:
        """The factors after the iterations, and how many these were."""
        X = v.sqrt()[None].to(self.device)
        s = SeparatorState(z, method.spatial.init(X, 0))
        split = method.spatial.split(method.spatial.observe(X, s.p), s.p)
        first = before = float(method.cost(X, s)) if tol > 0 else 0.0
        for k in range(1, self.max_iter + 1):
            s = s._replace(z=method.source.update(s.z, split))
            if tol > 0 and k % CHECK == 0:
                cost = float(method.cost(X, s))
                if before - cost <= tol * abs(first):
                    return s.z, k
                before = cost
        return s.z, self.max_iter

    def _first(self, v: Tensor, w: Tensor, B: Tensor, A: Tensor) -> NmfState:
        e = (variance_floor(v) * (w * v).sum() / w.sum()).expand(1, len(v), 1)
        z = (B[None], A[None], e.clamp_min(torch.finfo(v.dtype).tiny))
        return NmfState(*(x.to(self.device, copy=True) for x in z))

    def _init(self, X: Any, w: Tensor, k: int) -> str:
        whole = bool((w > 0).all())
        init = self.init or ("nndsvda" if whole and k <= min(X.shape) else "random")
        if init not in STARTS:
            raise ValueError(f"init is {init!r}; it is one of {', '.join(STARTS)}, or None.")
        if init.startswith("nndsvd") and not whole:
            raise ValueError(f"init={init!r} needs all values; X has missing ones: use init='random'.")
        return init

    def _start(self, X: Any, v: Tensor, w: Tensor, k: int, W: Any, H: Any, random: Any) -> tuple[Tensor, Tensor]:
        init = self._init(X, w, k)
        if init == "custom":
            if W is None or H is None:
                raise ValueError("init='custom' needs both W and H in fit_transform.")
            W, H = (check_array(x, dtype=X.dtype) for x in (W, H))
            if W.shape != (len(X), k) or H.shape != (k, X.shape[1]):
                raise ValueError(
                    f"W and H are {W.shape} and {H.shape}; they should be {(len(X), k)} and {(k, X.shape[1])}."
                )
            return torch.from_numpy(H.T.copy()), torch.from_numpy(W.T.copy())
        if init != "random":
            return nndsvd(v, k, raised=init == "nndsvda")
        level = float((w * v).sum() / w.sum() / k) ** 0.5
        shapes = ((len(v), k), (k, v.shape[1]))
        B, A = (torch.from_numpy(2 * level * random.uniform(0.05, 1.0, shape)).to(v) for shape in shapes)
        return B, A

    def _checked(self, X: Any, reset: bool) -> Any:
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan")
        check_non_negative(np.nan_to_num(X), "NMF (input X)")
        return X

    def _how_many(self, X: Any, H: Any) -> int:
        if self.n_components in ("auto", None):
            return X.shape[1] if H is None else len(H)
        if (
            isinstance(self.n_components, bool)
            or not isinstance(self.n_components, int | np.integer)
            or self.n_components < 1
        ):
            raise ValueError(f"n_components is {self.n_components!r}; it is a whole number above 0, or 'auto'.")
        return int(self.n_components)

    def _divergence(self) -> Any:
        if isinstance(self.beta_loss, str):
            if self.beta_loss not in NAMES:
                raise ValueError(f"beta_loss is {self.beta_loss!r}; it is one of {', '.join(NAMES)}, or a number.")
            return Beta(NAMES[self.beta_loss])
        return Beta(float(self.beta_loss)) if isinstance(self.beta_loss, int | float) else self.beta_loss

    def _penalties(self, v: Tensor) -> tuple[Penalty, ...]:
        alpha_H = self.alpha_W if self.alpha_H == "same" else float(self.alpha_H)
        features, samples = v.shape
        shares = (self.l1_ratio, 1 - self.l1_ratio)
        on_B, on_A = (
            (n * alpha * shares[0], n * alpha * shares[1])
            for n, alpha in ((samples, alpha_H), (features, self.alpha_W))
        )
        shrinkage = (Elastic(on_B, on_A),) if any((*on_B, *on_A)) else ()
        return (*shrinkage, *self.penalties)

    def _error(self, v: Tensor, w: Tensor, z: NmfState) -> float:
        """sqrt(2 d): in double precision, against W H and the floor."""
        r = (z.B @ z.H + z.e)[0].double().cpu()
        try:
            each = self._divergence().each(v.double().clamp_min(torch.finfo(v.dtype).tiny), r)
        except OtowakeError:
            return float("nan")
        return float((2 * (w.double() * each).sum()).clamp_min(0).sqrt())


def _transposed(X: Any, weights: Any) -> tuple[Tensor, Tensor]:
    """X^T with 0 for what is missing, and the weights beside it."""
    missing = np.isnan(X)
    w = np.broadcast_to(np.asarray(1.0 if weights is None else weights, dtype=X.dtype), X.shape) * ~missing
    if not (np.isfinite(w).all() and (w >= 0).all() and w.any()):
        raise ValueError("Weights must be 0 or more and finite, and something must be there to fit.")
    v = np.where(missing, 0, X)
    first, second = (torch.from_numpy(np.ascontiguousarray(x.T.astype(X.dtype))) for x in (v, w))
    return first, second


def _numpy(x: Tensor, like: Any) -> Any:
    return np.ascontiguousarray(x.cpu().numpy()).astype(like.dtype, copy=False)
