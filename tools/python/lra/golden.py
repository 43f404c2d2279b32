"""Golden files from PyTorch modules: the references of `lra check golden`.

The format is described in harness/check/README.md.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy

_TOKEN_INPUTS = ("q", "k", "v", "qk", "x")
Map = Union[str, Tuple[str, str]]  # a parameter's name in the variant, or (name, "T")


class Recorded:
    """Output of record(): `path`, `cases` (their names), and `observed`, by case the float32 error
    {"out": ..., "grad": ...} of the module itself."""

    def __init__(self, path: str, cases: List[str], observed: Dict[str, Dict[str, float]]):
        self.path, self.cases, self.observed = path, cases, observed

    def __repr__(self) -> str:
        return f"Recorded({self.path!r}, cases={self.cases})"


def record(module: Any, name: str, path: Union[str, "os.PathLike[str]"], *,
           heads: int = 2, head_dim: int = 6, value_dim: Optional[int] = None,
           width: Optional[int] = None, lengths: Sequence[int] = (13, 1), batch: int = 2,
           cross: Optional[int] = None, hyper: Optional[Mapping[str, Any]] = None,
           parameters: Optional[Mapping[str, Map]] = None,
           call: Optional[Callable[..., Any]] = None, seed: int = 0, origin: str = "") -> Recorded:
    """Runs a torch module in float64 and writes its inputs, outputs and gradients to a golden file.

    module: a torch.nn.Module, or a function. Its forward takes, by these names, q [B, H, N, D],
    k [B, H, M, D], v [B, H, M, Dv]; or qk and v; or x [B, N, E]; and, if it has an argument of that
    name, mask [B, M] bool, True for a token. It returns [B, H, N, Dv] or [B, N, E]. For another
    signature give call(module, mask=..., **inputs); its arguments then name the inputs.
    name: the variant that is to be compared, a registered one or the one that you will write.
    path: the file to write, NAME.json.

    heads, head_dim, value_dim, width: H, D, Dv (D), E (H D). lengths: N of one case each; batch: B.
    cross: M of one more case with other keys than queries, for variants that take them. Modules with
    a mask get a padded case for each length above 1.
    hyper: options of the variant that the module stands for, e.g. {"causal": True}.
    parameters: the variant's name of each parameter of the module, where it is another one; with
    ("Wg", "T") the variant has the transpose. None are left out: a variant without a parameter of
    that name and shape fails in the check.
    seed: of the inputs, which are normal and exact in float32, so that both sides compute from the
    same numbers; parameters are rounded to float32. origin: text that says where the module is from.

    The module itself is not changed. Random numbers in it (dropout) must be off: it runs twice and
    must give the same. Raises ValueError for a module that does not, for unknown arguments, for
    outputs of another shape and for values that are not finite; ImportError without torch.
    """
    import torch

    if not callable(module):
        raise TypeError(f"golden.record: got {type(module).__name__}, expected a module or function")
    is_module = isinstance(module, torch.nn.Module)
    exact = copy.deepcopy(module).double().eval() if is_module else module
    single = copy.deepcopy(module).float().eval() if is_module else module
    names, masked = _arguments(call or (module.forward if is_module else module), call is not None)
    width = heads * head_dim if width is None else width
    value_dim = head_dim if value_dim is None else value_dim
    renamed = dict(parameters or {})
    sizes = [(n, n, False) for n in lengths]
    if masked:
        sizes += [(n, n, True) for n in lengths if n > 1]
    if cross is not None:
        sizes.append((max(lengths), cross, False))
    cases, observed = [], {}
    for queries, keys, padded in sizes:
        title = f"n{queries}" + (f"_m{keys}" if keys != queries else "") + ("_padded" if padded else "")
        random = numpy.random.default_rng([seed, queries, keys, padded])
        shapes = {"q": (batch, heads, queries, head_dim), "k": (batch, heads, keys, head_dim),
                  "qk": (batch, heads, queries, head_dim), "v": (batch, heads, keys, value_dim),
                  "x": (batch, queries, width)}
        inputs = {one: _normal(random, shapes[one]) for one in names}
        mask = numpy.ones((batch, keys), bool)
        if padded:
            for b in range(batch):
                mask[b, keys - (b * 3 + 2) % keys:] = False
        run = _Case(exact, call, inputs, mask if masked else None, renamed, is_module, title)
        expected, grad = run.compute(torch.float64, random)
        again, _ = run.compute(torch.float64)
        if not torch.equal(expected, again):
            raise ValueError(f"golden.record: {title}: two runs differ; switch off what draws numbers")
        single_run = _Case(single, call, inputs, mask if masked else None, renamed, is_module, title,
                           run.grad_out)
        observed[title] = run.errors(expected, grad, *single_run.compute(torch.float32))
        case: Dict[str, Any] = {
            "name": title, "hyper": dict(hyper or {}),
            "inputs": {**{one: _tensor(value) for one, value in inputs.items()},
                       **{one: _tensor(value) for one, value in run.parameter_values().items()}},
            "fixed": {}, "mask": _mask(mask) if padded else None,
            "expected": {"out": _tensor(expected.numpy(), 17)},
            "grad_out": {"out": _tensor(run.grad_out)},
            "grad": {one: _tensor(value.numpy(), 17) for one, value in grad.items()},
            "f32_observed_rel": observed[title],
        }
        if keys != queries:
            case["optional"] = True
        cases.append(case)
    if not cases:
        raise ValueError("golden.record: no cases; expected at least one length")
    text = _json({"format_version": 1, "variant": name, "title": type(module).__name__,
                  "origin": origin or f"lra.golden.record, torch {torch.__version__}, float64",
                  "convention": "q, qk [B,H,N,D]; k [B,H,M,D]; v [B,H,M,Dv]; x [B,N,E]",
                  "cases": cases})
    path = os.fspath(path)
    partial = f"{path}.{os.getpid()}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)
    return Recorded(path, [case["name"] for case in cases], observed)


def _arguments(function: Any, is_call: bool) -> Tuple[List[str], bool]:
    """Which of q, k, v, qk, x a function takes, and whether it takes mask."""
    arguments = list(inspect.signature(function).parameters.values())
    if is_call:
        arguments = arguments[1:]
    names = []
    masked = False
    for argument in arguments:
        if argument.name == "mask":
            masked = True
        elif argument.name in _TOKEN_INPUTS:
            names.append(argument.name)
        elif argument.default is inspect.Parameter.empty:
            raise ValueError(f"golden.record: argument {argument.name}; expected q, k, v, qk, x and mask; "
                             "give call=lambda module, q, k, v: ... for another signature")
    if not names:
        raise ValueError("golden.record: no argument is named q, k, v, qk or x")
    return names, masked


def _normal(random: numpy.random.Generator, shape: Sequence[int]) -> numpy.ndarray:
    return random.standard_normal(shape).astype(numpy.float32).astype(numpy.float64)


class _Case:
    """One case of the module: the same inputs, parameters and upstream gradient in either type."""

    def __init__(self, module, call, inputs, mask, renamed, is_module, title, grad_out=None):
        self.module, self.call, self.inputs, self.mask, self.title = module, call, inputs, mask, title
        self.grad_out = grad_out
        self.trained: Dict[str, Tuple[Any, bool]] = {}  # name in the file -> parameter, transposed
        if not is_module:
            if renamed:
                raise ValueError("golden.record: parameters are a module's; got a function")
            return
        own = dict(module.named_parameters())
        for key in renamed:
            if key not in own:
                raise ValueError(f"golden.record: no parameter {key}; the module has {', '.join(own) or 'none'}")
        for key, parameter in own.items():
            target = renamed.get(key, key)
            new, transposed = (target, False) if isinstance(target, str) else (target[0], target[1] == "T")
            if new in self.trained or new in inputs:
                raise ValueError(f"golden.record: two tensors are named {new}")
            parameter.data = parameter.data.float().to(parameter.dtype)
            parameter.requires_grad_(True)
            self.trained[new] = (parameter, transposed)

    def parameter_values(self) -> Dict[str, numpy.ndarray]:
        return {key: (parameter.T if transposed else parameter).detach().numpy()
                for key, (parameter, transposed) in self.trained.items()}

    def compute(self, dtype, random=None):
        """(output, gradients by name) as float64; draws the upstream gradient at first."""
        import torch

        leaves = {key: torch.tensor(value, dtype=dtype, requires_grad=True)
                  for key, value in self.inputs.items()}
        extra = {} if self.mask is None else {"mask": torch.from_numpy(self.mask)}
        out = (self.call(self.module, **leaves, **extra) if self.call is not None
               else self.module(**leaves, **extra))
        if not isinstance(out, torch.Tensor):
            raise ValueError(f"golden.record: {self.title}: got {type(out).__name__}, expected a tensor; "
                             "give call=lambda module, ...: the output of module")
        first = next(iter(self.inputs.values()))
        expected = tuple(first.shape) if "x" in self.inputs and len(self.inputs) == 1 else (
            *first.shape[:3], self.inputs["v"].shape[3] if "v" in self.inputs else first.shape[3])
        if tuple(out.shape) != expected:
            raise ValueError(f"golden.record: {self.title}: output {list(out.shape)}, expected {list(expected)}")
        if self.mask is not None and self.mask.shape[1] == out.shape[-2]:
            # Rows of padding are zero, and nothing comes back from them.
            rows = torch.from_numpy(self.mask)
            rows = rows[:, :, None] if out.dim() == 3 else rows[:, None, :, None]
            out = torch.where(rows, out, torch.zeros((), dtype=out.dtype))
            if self.grad_out is None:
                self.grad_out = _normal(random, out.shape) * rows.numpy()
        if self.grad_out is None:
            self.grad_out = _normal(random, out.shape)
        tensors = list(leaves.values()) + [parameter for parameter, _ in self.trained.values()]
        gradients = torch.autograd.grad(out, tensors, torch.tensor(self.grad_out, dtype=out.dtype),
                                        allow_unused=True)
        turned = [False] * len(leaves) + [transposed for _, transposed in self.trained.values()]
        named = {}
        for key, tensor, gradient, transposed in zip([*leaves, *self.trained], tensors, gradients, turned):
            gradient = torch.zeros_like(tensor) if gradient is None else gradient
            named[key] = (gradient.T if transposed else gradient).detach().double().contiguous()
        out = out.detach().double()
        for what, tensor in {"output": out, **named}.items():
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"golden.record: {self.title}: {what} is not finite")
        return out, named

    @staticmethod
    def errors(out, grad, single_out, single_grad) -> Dict[str, float]:
        """max |a - e| / max(1e-3, S) of float32, S as in harness/check/README.md."""
        scale = max(float(value.abs().max()) for value in grad.values())
        worst = max(float((single_grad[key] - value).abs().max()) for key, value in grad.items())
        return {"out": float((single_out - out).abs().max()) / max(1e-3, float(out.abs().max())),
                "grad": worst / max(1e-3, scale)}


def _tensor(values: numpy.ndarray, digits: int = 9) -> Dict[str, Any]:
    return {"shape": list(values.shape), "dtype": "float",
            "data": [float(f"%.{digits}g" % value) for value in numpy.ravel(values)]}


def _mask(mask: numpy.ndarray) -> Dict[str, Any]:
    return {"shape": list(mask.shape), "dtype": "int", "data": mask.astype(int).ravel().tolist()}


def _json(value: Any) -> str:
    return json.dumps(value, indent=None, separators=(",", ":"), allow_nan=False) + "\n"
