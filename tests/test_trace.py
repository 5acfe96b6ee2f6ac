import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from semiad.engines.packed.trace import traced


def test_a_traced_step_gives_the_same_with_fewer_operations() -> None:
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 5))
    names = [name for name, _ in net.named_parameters()]

    def step(*flat: Tensor) -> tuple[Tensor, ...]:
        def loss(params: dict[str, Tensor], x: Tensor) -> Tensor:
            return (functional_call(net, params, (x,)) - x).square().mean()

        return torch.autograd.grad(vmap(loss)(dict(zip(names, flat, strict=False)), flat[-1]).sum(), flat[:-1])

    flat = [torch.rand(3, *p.shape, requires_grad=True) for p in net.parameters()]
    x = torch.rand(3, 7, 5)
    module = traced(step, *flat, x)
    plain = make_fx(step)(*flat, x)
    assert len(module.graph.nodes) < 0.8 * len(plain.graph.nodes)
    with torch.no_grad():
        again = module(*flat, x)
    for one, other in zip(again, step(*flat, x), strict=True):
        assert torch.allclose(one, other, atol=1e-7)


def test_what_changes_a_buffer_stays() -> None:
    def step(x: Tensor, running: Tensor) -> Tensor:
        running.add_(x.mean())
        return x.view(4) * 1

    running = torch.zeros(())
    module = traced(step, torch.arange(4.0), running)
    running.zero_()
    assert torch.equal(module(torch.arange(4.0), running), torch.arange(4.0)) and float(running) == 1.5


def test_a_trace_makes_no_fake_tensor_mode_for_each_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch would (`proxy_tensor.extract_val`), which takes almost as long as the rest of a trace."""

    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("a mode was made")

    monkeypatch.setattr("torch.fx.experimental.proxy_tensor.FakeTensorMode", refuse)
    module = traced(lambda x: (x * 2 + 1).sum(), torch.arange(4.0))
    assert module(torch.arange(3.0)) == 9
