"""Attention variants in PyTorch: gradients through them, and a torch.nn.Module.

Importing this needs torch. Everything is computed on the CPU in float32.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

import torch

from . import _attention

__all__ = ["Attention"]


def _numpy(tensor: torch.Tensor):
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()


class _Function(torch.autograd.Function):
    """forward(module, call, names of inputs, names of parameters, *tensors in that order)."""

    @staticmethod
    def forward(ctx, module, call, inputs, parameters, *tensors):
        ctx.module, ctx.call, ctx.inputs, ctx.parameters = module, call, inputs, parameters
        ctx.save_for_backward(*tensors)
        out, _ = _Function.run(ctx, tensors, None)
        return torch.from_numpy(out).to(tensors[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_out):
        tensors = ctx.saved_tensors
        _, gradients = _Function.run(ctx, tensors, _numpy(grad_out))
        names = ctx.inputs + ctx.parameters
        wanted = ctx.needs_input_grad[4:]
        return (None, None, None, None) + tuple(
            torch.from_numpy(gradients[name]).to(tensor) if want else None
            for name, tensor, want in zip(names, tensors, wanted))

    @staticmethod
    def run(ctx, tensors, grad_out):
        arrays = [_numpy(tensor) for tensor in tensors]
        count = len(ctx.inputs)
        return ctx.module._run(
            (), dict(zip(ctx.inputs, arrays[:count])), grad_out=grad_out,
            parameters=dict(zip(ctx.parameters, arrays[count:])), **ctx.call)


def apply(module: _attention.Attention, inputs: Dict[str, Any], parameters: Dict[str, Any],
          **call: Any) -> torch.Tensor:
    """module.forward on tensors, with gradients for inputs and parameters."""
    for name, tensor in {**inputs, **parameters}.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name}: got {type(tensor).__name__}, expected torch.Tensor as the others")
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: got {tensor.dtype}, expected floating-point numbers")
    return _Function.apply(module, call, tuple(inputs), tuple(parameters), *inputs.values(),
                           *parameters.values())


class Attention(torch.nn.Module):
    """A variant as a module: its parameters are torch.nn.Parameters under the variant's names.

    Arguments are those of lra.Attention, and `dropout`, on attention weights in training. A seed that
    differs at each call in training comes from torch's generator (torch.manual_seed).
    """

    def __init__(self, name: str, heads: int, head_dim: int, *, dropout: float = 0.0, **sizes: Any):
        super().__init__()
        self.core = _attention.Attention(name, heads, head_dim, **sizes)
        self.dropout = dropout
        for key, value in self.core.parameters.items():
            self.register_parameter(key, torch.nn.Parameter(torch.from_numpy(value.copy())))

    def extra_repr(self) -> str:
        return repr(self.core)

    def forward(self, *tensors: torch.Tensor, lengths: Optional[torch.Tensor] = None,
                key_lengths: Optional[torch.Tensor] = None, **named: torch.Tensor) -> torch.Tensor:
        """Tensors in the order of lra.Attention.inputs or by name: q [B, H, N, D], k [B, H, M, D],
        v [B, H, M, Dv]; qk and v; or x [B, N, E]. Returns [B, H, N, Dv] or [B, N, E]."""
        seed = int(torch.randint(2**62, ()).item()) if self.training else 0
        return apply(self.core, self.core.gather(tensors, named),
                     {key: self.get_parameter(key) for key in self.core.parameters},
                     lengths=lengths, key_lengths=key_lengths, training=self.training,
                     dropout=self.dropout, seed=seed)
