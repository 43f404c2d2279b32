"""Attention variants on numpy arrays and torch tensors."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy

from . import _core

Array = Any  # numpy.ndarray or torch.Tensor
Lengths = Union[None, int, Sequence[int], numpy.ndarray]


def describe(name: str) -> Dict[str, Any]:
    """Description of a variant: label, source, inputs, growth, options with default and range.

    Raises UsageError, with near matches, for a name that there is not.
    """
    return json.loads(_core.traits(name))


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_floats(name: str, value: Any) -> numpy.ndarray:
    """As contiguous float32. Raises TypeError for other than floating-point types."""
    array = numpy.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: got {array.dtype}, expected an array of floating-point numbers")
    return numpy.ascontiguousarray(array, dtype=numpy.float32)


def as_lengths(name: str, value: Lengths) -> List[int]:
    """[] for None, else a list of integers."""
    if value is None:
        return []
    array = numpy.atleast_1d(numpy.asarray(value))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected one whole number per sequence")
    return [int(length) for length in array]


class Attention:
    """A variant with its sizes, options and parameters.

    name: a variant (`lra.variants()`) or an alias of one.
    heads, head_dim: H and D. width: E, of the block's input x; H D if not given.
    max_length: the longest sequence that parameters are made for.
    layer, layers, cls, pre_norm: the place in a model, which a few variants depend on.
    seed: of the parameters' initial values.
    **options: the variant's own (`lra.describe(name)["options"]`).

    `parameters` is a dict of float32 arrays by name, which are the module's own: writing into them
    (`a.parameters["s"][:] = 1`) changes what it computes. `options` has all options, defaults
    filled in. `inputs` names the arrays that forward takes.

    Raises UsageError for unknown names, ConfigError for an option or size out of its range.
    """

    def __init__(self, name: str, heads: int, head_dim: int, *, width: Optional[int] = None,
                 max_length: int = 1024, layer: int = 0, layers: Optional[int] = None,
                 cls: bool = False, pre_norm: bool = True, seed: int = 0, **options: Any):
        sizes = [heads, head_dim, heads * head_dim if width is None else width, max_length, layer,
                 layer + 1 if layers is None else layers]
        self._core = _core.AttentionModule(name, json.dumps(options), sizes, cls, pre_norm, seed)
        self._made = (sizes, cls, pre_norm)
        self.name: str = self._core.name
        self.options: Dict[str, Any] = json.loads(self._core.options)
        self.heads, self.head_dim, self.width = sizes[:3]
        self.max_length = max_length
        taken = describe(self.name)["input"]
        self.inputs = {"heads": ("q", "k", "v"), "shared_qk": ("qk", "v"), "block": ("x",)}[taken]
        if self._core.needs_x:
            self.inputs += ("x",)
        self.parameters: Dict[str, numpy.ndarray] = self._core.parameters()

    def __reduce__(self):
        # Copies and pickles are made anew and get the values.
        values = {name: value.copy() for name, value in self.parameters.items()}
        return _rebuild, (self.name, *self._made, self.options, values)

    def __repr__(self) -> str:
        return (f"lra.Attention({self.name!r}, heads={self.heads}, head_dim={self.head_dim}, "
                f"inputs={self.inputs}, parameters={list(self.parameters)})")

    def forward(self, *arrays: numpy.ndarray, lengths: Lengths = None, key_lengths: Lengths = None,
                training: bool = False, dropout: float = 0.0, seed: int = 0,
                **named: numpy.ndarray) -> numpy.ndarray:
        """The output of a batch, float32.

        Arrays, in the order of `inputs` or by name: q [B, H, N, D], k [B, H, M, D],
        v [B, H, M, Dv]; or qk and v for variants that share queries and keys; or the block's input x
        [B, N, E], alone or beside the heads. Without B one sequence is meant.
        lengths [B]: real rows of each sequence, the rest is padding, which weighs 0 whatever it
        holds; key_lengths [B]: the same of the keys where they are others.
        training, dropout: attention dropout; seed: of what is drawn at each call. The same seed draws
        the same numbers.

        Returns [B, H, N, Dv], or [B, N, E] for variants of the block's input; rows of padding are 0.
        Raises UsageError for a missing array, ShapeError for one of the wrong shape.
        """
        return self._run(arrays, named, lengths, key_lengths, training, dropout, seed, None)[0]

    __call__ = forward

    def backward(self, grad_out: numpy.ndarray, *arrays: numpy.ndarray, lengths: Lengths = None,
                 key_lengths: Lengths = None, training: bool = False, dropout: float = 0.0,
                 seed: int = 0, **named: numpy.ndarray) -> Dict[str, numpy.ndarray]:
        """The gradients of sum(forward(...) * grad_out), by name of input and parameter.

        Takes what forward() took, and runs it again: nothing is kept between the two. Gradients have
        the shapes of their arrays; those of parameters are summed over the batch.
        """
        return self._run(arrays, named, lengths, key_lengths, training, dropout, seed, grad_out)[1]

    def gather(self, arrays: Sequence[Any], named: Dict[str, Any]) -> Dict[str, Any]:
        """Positional and named inputs by name."""
        if len(arrays) > len(self.inputs):
            raise TypeError(f"{self.name}: {len(arrays)} arrays, expected {', '.join(self.inputs)}")
        given = {name: array for name, array in zip(self.inputs, arrays) if array is not None}
        for name, array in named.items():
            if name in given:
                raise TypeError(f"{self.name}: {name} is given twice")
            if array is not None:
                given[name] = array
        return given

    def _run(self, arrays, named, lengths, key_lengths, training, dropout, seed, grad_out,
             parameters=None):
        given = {name: as_floats(name, array)
                 for name, array in self.gather(arrays, named).items()}
        first = given.get(self.inputs[0])
        single = first is not None and first.ndim == (2 if self.inputs[0] == "x" else 3)
        if single:
            given = {name: array[None] for name, array in given.items()}
        upstream = None
        if grad_out is not None:
            upstream = as_floats("grad_out", grad_out)
            upstream = upstream[None] if single else upstream
        values = {name: as_floats(name, array) for name, array in (parameters or {}).items()}
        out, gradients = self._core.run(
            given, values, as_lengths("lengths", lengths), as_lengths("key_lengths", key_lengths),
            training, dropout, seed, upstream)
        if single:
            out = out[0]
            gradients = {name: gradient[0] if name in given else gradient
                         for name, gradient in gradients.items()}
        return out, gradients


def _rebuild(name, sizes, cls, pre_norm, options, values):
    heads, head_dim, width, max_length, layer, layers = sizes
    made = Attention(name, heads, head_dim, width=width, max_length=max_length, layer=layer,
                     layers=layers, cls=cls, pre_norm=pre_norm, **options)
    for parameter, value in values.items():
        made.parameters[parameter][...] = value
    return made


def attention(name: str, q: Array = None, k: Array = None, v: Array = None, *, x: Array = None,
              qk: Array = None, heads: Optional[int] = None, lengths: Lengths = None,
              key_lengths: Lengths = None, parameters: Optional[Dict[str, Array]] = None,
              max_length: Optional[int] = None, training: bool = False, dropout: float = 0.0,
              seed: int = 0, **options: Any) -> Array:
    """One call of a variant: lra.attention("cosformer", q, k, v, causal=True).

    q [B, H, N, D], k [B, H, M, D], v [B, H, M, Dv], or without B; qk and v for variants that share
    queries and keys (reformer); x [B, N, E] and `heads` for variants of the block's input (luna,
    s4d, ...), x beside q, k, v for those that project it themselves (fox, gla, ...).
    `lra.describe(name)` tells which, and the options.

    parameters: values by name for variants that have some; those not given have their initial
    values by `seed`. To keep parameters between calls use lra.Attention or, in PyTorch,
    lra.nn.Attention. max_length: the length that parameters are made for; that of the arrays if not
    given.

    With numpy arrays: a float32 array. With torch tensors: a tensor of q's type and device that has
    gradients for the inputs and for `parameters`; computed on the CPU in float32, and computed again
    in the backward pass. Returns [B, H, N, Dv] or [B, N, E].

    Raises UsageError (unknown name, missing array), ConfigError (option out of range), ShapeError.
    """
    given = {"q": q, "k": k, "v": v, "qk": qk, "x": x}
    given = {key: array for key, array in given.items() if array is not None}
    parameters = dict(parameters or {})
    rows = [array.shape[-2] for array in given.values() if len(array.shape) >= 2]
    sizes: Dict[str, Any] = {"max_length": max_length if max_length is not None else max(rows, default=1)}
    headed = next((array for key, array in given.items() if key != "x"), None)
    if headed is not None:
        if len(headed.shape) not in (3, 4):
            raise _core.ShapeError(
                f"attention {name}: q; got {tuple(headed.shape)}, expected [B, H, N, D] or [H, N, D]")
        sizes.update(heads=headed.shape[-3], head_dim=headed.shape[-1])
        if heads is not None and heads != headed.shape[-3]:
            raise _core.ShapeError(
                f"attention {name}: heads; got {heads}, expected the arrays' {headed.shape[-3]}")
    elif x is not None:
        count = 1 if heads is None else heads
        if count < 1 or x.shape[-1] % count != 0:
            raise _core.ShapeError(
                f"attention {name}: heads; got {count}, expected a divisor of {x.shape[-1]}")
        sizes.update(heads=count, head_dim=x.shape[-1] // count)
    else:
        taken = describe(name)["input"]
        expected = {"heads": "q, k, v", "shared_qk": "qk, v", "block": "x"}[taken]
        raise _core.UsageError(f"attention {name}: no arrays; expected {expected}")
    if x is not None:
        sizes["width"] = x.shape[-1]
    module = Attention(name, seed=seed, **sizes, **options)
    call = dict(lengths=lengths, key_lengths=key_lengths, training=training, dropout=dropout,
                seed=seed)
    if any(is_tensor(array) for array in (*given.values(), *parameters.values())):
        from .nn import apply
        return apply(module, given, parameters, **call)
    return module._run((), given, lengths, key_lengths, training, dropout, seed, None,
                       parameters)[0]
