"""Trained runs and results."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

import numpy

from . import _core

Path = Union[str, "os.PathLike[str]"]


class Example(NamedTuple):
    """An example of a task: tokens [n] uint16, second [m] of pair tasks or None, and the label, a
    number or, where every token has one, [n] int32 with -100 for none."""

    tokens: numpy.ndarray
    second: Optional[numpy.ndarray]
    label: Union[int, numpy.ndarray]


def _ids(name: str, value: Any) -> numpy.ndarray:
    array = numpy.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{name}: got {array.dtype} {list(array.shape)}, expected whole numbers [n]")
    if array.size and (array.min() < 0 or array.max() > 0xFFFF):
        raise _core.ShapeError(f"{name}: got {array.min()}..{array.max()}, expected ids from 0 to 65535")
    return numpy.ascontiguousarray(array, dtype=numpy.uint16)


def _sequences(name: str, value: Any, lengths: Any) -> List[numpy.ndarray]:
    """One sequence [n], a padded batch [B, N] or a list of sequences, as a list."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)) and value and numpy.ndim(value[0]) > 0:
        if lengths is not None:
            raise TypeError(f"{name}: lengths go with a batch [B, N]; a list has sequences of their own")
        return [_ids(name, sequence) for sequence in value]
    array = numpy.asarray(value)
    if array.ndim != 2:
        return [_ids(name, array)]
    if lengths is None:
        real = array != 0
        last = array.shape[1] - numpy.argmax(real[:, ::-1], axis=1)
        lengths = numpy.where(real.any(axis=1), last, min(1, array.shape[1]))
    lengths = numpy.asarray(lengths)
    if lengths.shape != array.shape[:1] or (lengths < 1).any() or (lengths > array.shape[1]).any():
        raise _core.ShapeError(
            f"{name}: lengths; expected {array.shape[0]} numbers from 1 to {array.shape[1]}")
    return [_ids(name, row[:length]) for row, length in zip(array, lengths)]


class Run:
    """A completed run: lra.load("runs/x").

    `folder`; `spec`, the contents of spec.json; `record`, of result.json; `parameters`, copies of the
    weights by the names of model.safetensors.
    """

    def __init__(self, folder: Path):
        self._core = _core.SavedRun(os.fspath(folder))
        self.folder = os.fspath(folder)
        self.spec: Dict[str, Any] = json.loads(self._core.spec)
        self.record: Dict[str, Any] = json.loads(self._core.record)

    def __repr__(self) -> str:
        return f"lra.load({self.folder!r})"

    @property
    def parameters(self) -> Dict[str, numpy.ndarray]:
        """Copies of the weights, float32, by the names of model.safetensors."""
        return self._core.parameters()

    def logits(self, tokens: Any, second: Any = None, *, lengths: Any = None,
               second_lengths: Any = None) -> Union[numpy.ndarray, List[numpy.ndarray]]:
        """Logits of token ids, one sequence per core at a time.

        tokens: one sequence [n]; a batch [B, N] in which ids 0 behind the last token are padding, or
        whose `lengths` [B] are given; or a list of sequences. second: the other sequences of a pair
        task, likewise.

        Returns [K], [B, K]; for tasks with a label at each token [n, K], [B, N, K] with zeros at
        padding, or a list of [n, K]. In the precision of the run.
        Raises ShapeError for an empty sequence, a longer one than the model takes or an id that is
        not in the vocabulary.
        """
        first = _sequences("tokens", tokens, lengths)
        other = [] if second is None else _sequences("second", second, second_lengths)
        logits = self._core.logits(first, other)
        several = len(numpy.shape(tokens)) == 2 if not isinstance(tokens, (list, tuple)) else False
        listed = isinstance(tokens, (list, tuple)) and len(tokens) > 0 and numpy.ndim(tokens[0]) > 0
        if not several and not listed:
            return logits[0] if self._core.token_labels else logits[0][0]
        if not self._core.token_labels:
            return numpy.concatenate(logits)
        if listed:
            return logits
        padded = numpy.zeros((len(logits), numpy.shape(tokens)[1], logits[0].shape[1]), numpy.float32)
        for row, one in zip(padded, logits):
            row[:len(one)] = one
        return padded

    def evaluate(self, *, examples: Optional[int] = 1000, data: Path = "", other_data: bool = False,
                 **task_options: Any) -> Dict[str, Any]:
        """Tests the run as `lra evaluate` does: accuracy, loss, correct, counted, examples, data.

        examples: at most so many, spread over the test split; None: all. data: the folder of the
        run's data, where they were in training if not given; other_data: accept others. Further
        options are the task's, e.g. length=512.
        Raises DataError for other data than the run's, ConfigError where the model has no weights
        for such sequences.
        """
        return json.loads(self._core.evaluate(json.dumps(task_options), os.fspath(data),
                                              0 if examples is None else examples, other_data))

    def examples(self, split: str = "test", limit: Optional[int] = None, *, data: Path = "",
                 other_data: bool = False) -> List[Example]:
        """Examples of the data that the run was trained on: all of a split ("train", "val", "test")
        or `limit` of it, spread over it; of the test split those that evaluate(examples=limit) takes.
        """
        return [Example(*one) for one in self._core.examples(
            split, 0 if limit is None else limit, os.fspath(data), other_data)]


def load(folder: Path) -> Run:
    """Opens a completed run. Raises DataError for a folder without a run or weights, and for
    weights of another version or run."""
    return Run(folder)


def results(*places: Path, pandas: bool = False, strict: bool = False, all: bool = False) -> Any:
    """All result records (result.json) of files and of folders and what is below them.

    Returns a list of dicts, the fields of result.json and `file`, sorted by file; with pandas=True a
    pandas.DataFrame, one row per run, nested fields as columns "accuracy.test" and so on. What was not
    measured is None (NaN in a DataFrame), never 0.
    Faulty files are skipped with a warning; strict=True raises DataError for the first.
    all: include runs that the suite of their folder no longer names.
    Raises DataError for a place without result files, ImportError for pandas=True without pandas.
    """
    places = tuple(places) or (".",)
    texts, faults = _core.results([os.fspath(place) for place in places], strict, all)
    if faults:
        warnings.warn(faults, stacklevel=2)
    records = [json.loads(text) for text in texts]
    if not pandas:
        return records
    from pandas import json_normalize
    return json_normalize(records)
