"""One ordinary optimiser over stacked parameters, which steps all runs because it works element by element."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.optim import Optimizer

from semiad.engines.packed.stacked_model import StackedModel
from semiad.methods.base import clip_elements, set_lr_factor


class StackedOptimizer:
    """Steps the leaves of a stacked model.

    Args:
        model: whose leaves are stepped.
    """

    def __init__(self, model: StackedModel) -> None:
        self.model = model
        self.optimizer: Optimizer = model.method.build_optimizer(model.leaves.values())
        self.factors, self.share = "", torch.ones(0)

    def step(self, gradients: Sequence[Tensor], factors: Mapping[float, list[int]]) -> None:
        """Step all runs.

        Args:
            gradients: of the parameters, in their order.
            factors: by factor of the learning rate, the runs that step at this rate.
        """
        for (name, leaf), gradient in zip([*self.model.leaves.items()], gradients, strict=True):
            laid_out = gradient.permute(self.model.layout[name])
            if not laid_out.is_contiguous():
                leaf = self.lay_out(name, gradient.stride())
                laid_out = gradient.permute(self.model.layout[name]).contiguous()
            leaf.grad = laid_out
        if self.model.method.clip_value is not None:
            clip_elements(self.optimizer, self.model.method.clip_value)
        if self.model.method.clip_norm is not None:
            clip_norms([*self.model.leaves.values()], self.model.method.clip_norm)
        highest = max(factors)
        set_lr_factor(self.optimizer, highest)
        if len(factors) == 1:
            self.optimizer.step()
            return
        # What an elementwise optimiser does to a weight is proportional to the rate.
        leaves = [*self.model.leaves.values()]
        share = self.shares(factors, leaves[0].device)
        before = [leaf.detach().clone() for leaf in leaves]
        self.optimizer.step()
        with torch.no_grad():
            for old, value in zip(before, leaves, strict=True):
                value.copy_(old.lerp(value, share.view(-1, *[1] * (value.ndim - 1)).to(value.dtype)))

    def shares(self, factors: Mapping[float, list[int]], device: torch.device) -> Float[Tensor, " k"]:
        """Give the rate of each run as a share of the highest; it is sent to the device where it has changed."""
        key = repr(factors)
        if key != self.factors:
            share = torch.ones(sum(map(len, factors.values())))
            for factor, runs in factors.items():
                share[runs] = factor / max(factors)
            self.factors, self.share = key, share.to(device)
        return self.share

    def lay_out(self, name: str, strides: tuple[int, ...]) -> nn.Parameter:
        """Lay a parameter, and what is kept of it, out in memory as its gradient comes; give the leaf."""
        model, old = self.model, self.model.leaves[name]
        layout = (0, *sorted(range(1, len(strides)), key=lambda axis: -strides[axis]))
        if layout == model.layout[name]:
            return old
        kept = self.optimizer.state.pop(old, {}).items()
        state = {key: model.to_parameter_layout(name, part) for key, part in kept}
        model.lay_out(name, layout)
        leaf = model.leaves[name]
        if state:
            self.optimizer.state[leaf] = {
                key: part.permute(layout).contiguous()
                if isinstance(part, Tensor) and part.ndim == len(layout)
                else part
                for key, part in state.items()
            }
        for group in self.optimizer.param_groups:
            group["params"] = [leaf if p is old else p for p in group["params"]]
        return leaf

    def select(self, chosen: Int64[Tensor, " m"]) -> None:
        """Keep some of the runs only, in the model too."""
        before, state = self.model.leaves, self.optimizer.state
        self.model.select(chosen)
        self.optimizer = self.model.method.build_optimizer(self.model.leaves.values())
        for name, leaf in self.model.leaves.items():
            self.optimizer.state[leaf] = select_state(state[before[name]], chosen)

    def state(self) -> dict[str, dict[str, Any]]:
        """What is kept of each parameter, in the parameter's layout."""
        return {
            name: {key: self.model.to_parameter_layout(name, part) for key, part in self.optimizer.state[leaf].items()}
            for name, leaf in self.model.leaves.items()
        }

    def load(self, state: Mapping[str, Mapping[str, Any]], chosen: Int64[Tensor, " m"]) -> None:
        """Take over what was kept, of which the runs here are some."""
        for name, leaf in self.model.leaves.items():
            self.optimizer.state[leaf] = select_state(state[name], chosen)


def clip_norms(leaves: Sequence[nn.Parameter], bound: float) -> None:
    """Clip the norm of the gradients of each run, as `torch.nn.utils.clip_grad_norm_` does for one run."""
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    norms = torch.stack([gradient.reshape(len(gradient), -1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    shares = (bound / (norms + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(shares.view(-1, *[1] * (gradient.ndim - 1)).to(gradient.dtype))


def select_state(state: Mapping[str, Any], chosen: Int64[Tensor, " m"]) -> dict[str, Any]:
    """Select, of what an optimiser keeps of a stacked parameter, some runs; a count of steps is common to all."""
    return {
        key: part[chosen].contiguous() if isinstance(part, Tensor) and part.ndim else part
        for key, part in state.items()
    }
