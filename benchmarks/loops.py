"""Training loops written by hand, as somebody without a framework would: what the engines are compared with."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from benchmarks.setup import build
from semiad.engines.context import OnEpochs, TrainingContext
from semiad.methods.aesad import AESAD
from semiad.runs import Run


def train_by_hand(run: Run, context: TrainingContext, on_epochs: OnEpochs) -> None:
    """Train one AE-SAD in a plain loop."""
    method = build(context, run)
    assert isinstance(method, AESAD)
    data = context.data(run, method)
    x, s = data.x, data.s
    method.prepare(x, s)
    weight, optimizer = method.lam, method.build_optimizer(method.parameters())
    for epoch in range(context.epochs):
        for rows in torch.split(data.order(epoch).to(x.device), context.batch_size):
            row, label = x[rows], s[rows]
            x_hat = method.net(row)
            to_itself = (row - x_hat).square().flatten(1).mean(1)
            to_negative = (1 - row - x_hat).square().flatten(1).mean(1)
            loss = torch.where(label == 1, weight * to_negative, to_itself).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        on_epochs([])


class BaddbmmLoop:
    """K dense AE-SADs stepped together with `baddbmm`, and one Adam for all: the reference of a packed step.

    Args:
        runs: of the same shapes.
        context: of the runs.
    """

    def __init__(self, runs: Sequence[Run], context: TrainingContext) -> None:
        methods = [build(context, run) for run in runs]
        self.data = [context.data(run, method) for run, method in zip(runs, methods, strict=True)]
        for method, data in zip(methods, self.data, strict=True):
            method.prepare(torch.empty(0), data.s)
        layers = [[m for m in method.modules() if isinstance(m, nn.Linear)] for method in methods]
        stacks = [*zip(*layers, strict=True)]
        self.weights = [nn.Parameter(torch.stack([m.weight.T for m in same]).detach()) for same in stacks]
        self.biases = [nn.Parameter(torch.stack([m.bias[None] for m in same]).detach()) for same in stacks]
        self.lam = torch.stack([method.get_buffer("lam") for method in methods])[:, None]
        self.optimizer = torch.optim.Adam([*self.weights, *self.biases], lr=1e-3, eps=1e-7, fused=True)
        self.train = torch.stack([data.train for data in self.data])
        self.s = torch.stack([data.s for data in self.data])
        assert context.dataset.top is not None
        self.x, self.top, self.batch_size = context.dataset.x, context.dataset.top, context.batch_size
        self.positions = self.endless_positions()

    def endless_positions(self) -> Iterator[Tensor]:
        """Yield, for each step of each epoch, positions (K, b) among the training rows."""
        epoch = 0
        while True:
            order = torch.stack([data.order(epoch) for data in self.data]).to(self.s.device)
            yield from torch.split(order, self.batch_size, dim=1)
            epoch += 1

    def step(self) -> None:
        """Take the next step of every run."""
        positions = next(self.positions)
        x = (self.x[self.train.gather(1, positions)] / self.top).flatten(2)
        s, h = self.s.gather(1, positions), x
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, h, weight)
            h = h.relu() if i < len(self.weights) - 1 else h.sigmoid()
        losses = torch.where(s == 1, self.lam * (1 - x - h).square().mean(2), (x - h).square().mean(2))
        self.optimizer.zero_grad()
        losses.mean(1).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
