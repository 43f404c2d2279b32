"""lra from Python: attention variants on arrays, trained runs, results, golden files.

>>> import lra, numpy
>>> q = k = v = numpy.random.default_rng(0).standard_normal((2, 4, 100, 16)).astype("float32")
>>> lra.attention("cosformer", q, k, v).shape
(2, 4, 100, 16)

Needs numpy alone. With PyTorch, `lra.attention` takes tensors and has gradients, and `lra.nn` has a
module. Everything computes in the process's own threads (`set_threads`) with Python's lock released,
in float32. Shape letters: B sequences, H heads, N rows of queries, M of keys, D width of q and k, Dv
of v, E width of the block, K classes.

Errors are `lra.Error` with the program's message. They are Python's own, too: UsageError,
ConfigError, DataError and ShapeError are ValueErrors, IoError is an OSError, NumericError and
BackendError are RuntimeErrors.
"""

from ._core import (BackendError, ConfigError, DataError, Error, IoError, NumericError, ShapeError,
                    UsageError, __version__, load_plugin, set_threads, threads, variants)
from ._attention import Attention, attention, describe
from ._runs import Example, Run, load, results
from . import golden

__all__ = [
    "Attention", "attention", "describe", "variants", "load_plugin", "Run", "Example", "load",
    "results", "golden", "set_threads", "threads", "Error", "UsageError", "ConfigError",
    "DataError", "ShapeError", "NumericError", "BackendError", "IoError", "__version__",
]


def __getattr__(name):
    # lra.nn imports torch, so it waits for its first use.
    if name == "nn":
        import importlib
        return importlib.import_module(".nn", __name__)
    raise AttributeError(f"module 'lra' has no attribute {name!r}")
