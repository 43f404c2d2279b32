"""The compiled part of lra (tools/python/core.cpp); use the package lra."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy

__version__: str

class Error(Exception):
    """An error of lra; the message says where, what and what was expected."""

class UsageError(Error, ValueError):
    """An unknown name or argument."""

class ConfigError(Error, ValueError):
    """An option out of its range, or contradictory options."""

class DataError(Error, ValueError):
    """Faulty files or data, or those of another run or task."""

class ShapeError(Error, ValueError):
    """Arrays of the wrong shape."""

class NumericError(Error, RuntimeError):
    """Numbers that are no longer finite."""

class BackendError(Error, RuntimeError):
    """The machine or a library does not support the operation."""

class IoError(Error, OSError):
    """A file that cannot be read or written."""

def variants() -> List[str]:
    """Names of all attention variants, those of loaded plugins included."""

def traits(name: str) -> str: ...

def set_threads(count: int) -> None:
    """Threads that later calls compute in; 0: all cores. Raises UsageError for a negative number."""

def threads() -> int:
    """Threads that calls compute in."""

def load_plugin(path: str) -> None:
    """Adds the variants of a shared library that `lra new attention NAME --plugin` started.

    Raises UsageError for one that was built against another version or registers nothing, DataError
    for one that cannot be loaded."""

def results(places: List[str], strict: bool, all: bool) -> Tuple[List[str], str]: ...

class AttentionModule:
    def __init__(self, name: str, options: str, sizes: Sequence[int], cls: bool, pre_norm: bool,
                 seed: int) -> None: ...
    def run(self, inputs: Dict[str, numpy.ndarray], parameters: Dict[str, numpy.ndarray],
            lengths: List[int], key_lengths: List[int], training: bool, dropout: float, seed: int,
            upstream: Optional[numpy.ndarray]
            ) -> Tuple[numpy.ndarray, Dict[str, numpy.ndarray]]: ...
    def parameters(self) -> Dict[str, numpy.ndarray]: ...
    @property
    def name(self) -> str: ...
    @property
    def needs_x(self) -> bool: ...
    @property
    def options(self) -> str: ...

class SavedRun:
    def __init__(self, folder: str) -> None: ...
    def logits(self, tokens: List[numpy.ndarray], second: List[numpy.ndarray]
               ) -> List[numpy.ndarray]: ...
    def evaluate(self, task_options: str, data: str, examples: int, other_data: bool) -> str: ...
    def examples(self, split: str, limit: int, data: str, other_data: bool
                 ) -> List[Tuple[numpy.ndarray, Optional[numpy.ndarray], Any]]: ...
    def parameters(self) -> Dict[str, numpy.ndarray]: ...
    @property
    def token_labels(self) -> bool: ...
    @property
    def spec(self) -> str: ...
    @property
    def record(self) -> str: ...
