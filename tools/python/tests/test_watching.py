"""harness/watching.md: event files by readers that are not ours, and its examples."""

import contextlib
import importlib.util
import io
import json
import math
import os
import re
import struct
import sys
import types
import unittest
from unittest import mock

from support import Scratch, train

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "harness", "watching.md")


def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def crc32c(data):
    """Castagnoli's polynomial, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frames(content):
    """The records of an event file: length, its masked checksum, data, their masked checksum."""
    def masked(data):
        crc = crc32c(data)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    at = 0
    while at < len(content):
        length, check = struct.unpack_from("<QI", content, at)
        data = content[at + 12:at + 12 + length]
        assert check == masked(content[at:at + 8]) and len(data) == length
        assert struct.unpack_from("<I", content, at + 12 + length) == (masked(data),)
        yield data
        at += 16 + length


def event_class():
    """tensorflow.Event as google.protobuf reads it, from the fields of TensorFlow's .proto files."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    types_of = {"double": kinds.TYPE_DOUBLE, "float": kinds.TYPE_FLOAT, "int64": kinds.TYPE_INT64,
                "string": kinds.TYPE_STRING, "bytes": kinds.TYPE_BYTES, "bool": kinds.TYPE_BOOL,
                "int32": kinds.TYPE_INT32}
    messages = {
        "Event": "1 wall_time double, 2 step int64, 3 file_version string, 5 summary .Summary, 7 session .Session",
        "Session": "1 status int32",
        "Summary": "1 value *.Value",
        "Value": "1 tag string, 2 simple_value float, 8 tensor .Tensor, 9 metadata .Metadata",
        "Tensor": "1 dtype int32, 2 shape .Shape, 5 float_val *float",
        "Shape": "2 dim *.Dim", "Dim": "1 size int64",
        "Metadata": "1 plugin .Plugin", "Plugin": "1 name string, 2 content bytes",
        "HParams": "1 version int32, 3 start .Start, 4 end .End", "End": "1 status int32, 2 end_time double",
        "Start": "1 hparams *.Entry, 5 start_time double", "Entry": "1 key string, 2 value .Any",
        "Any": "2 number double, 3 text string, 4 flag bool",
    }
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field, kind in (one.split() for one in fields.split(", ")):
            repeated, kind = kind.startswith("*"), kind.lstrip("*")
            message.field.add(name=field, number=int(number),
                              label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
                              type=types_of.get(kind, kinds.TYPE_MESSAGE),
                              type_name=None if kind in types_of else ".t" + kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    get = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return (get(pool.FindMessageTypeByName("t." + name)) for name in ("Event", "HParams"))


class Recorder:
    """Stands for wandb or mlflow where they are not installed: keeps calls whose arguments theirs would take."""

    def __init__(self, test):
        self.test, self.logged, self.params, self.files, self.summary = test, [], {}, [], {}
        self.named = {}

    def scalars(self, values, step):
        self.test.assertIsInstance(step, int)
        self.test.assertGreaterEqual(step, max((one[0] for one in self.logged), default=0))
        for key, value in values.items():
            self.test.assertRegex(key, r"^[\w./ -]+$")  # MLflow's names
            self.test.assertIsInstance(value, (int, float))
            self.test.assertTrue(math.isfinite(value))
        self.logged.append((step, values))

    @contextlib.contextmanager
    def open(self, **named):
        self.named = named
        yield self

    # Of a run of wandb.
    def log(self, data, step):
        self.scalars(data, step)

    def wandb(self):
        module = types.ModuleType("wandb")
        module.init = lambda *, project, name, config: self.open(project=project, name=name, config=config)
        return module

    def mlflow(self):
        module = types.ModuleType("mlflow")
        module.start_run = lambda *, run_name: self.open(name=run_name)

        def log_params(params):
            self.test.assertLessEqual(len(params), 100)
            for key, value in params.items():
                self.test.assertRegex(key, r"^[\w./ -]+$")
                self.test.assertLessEqual(len(str(value)), 500)
            self.params.update(params)

        module.log_params = log_params
        module.log_metrics = lambda metrics, step: self.scalars(metrics, step)
        module.log_artifact = lambda path: self.files.append(path)
        return module


class WatchingTest(Scratch):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # fnet has no attention matrix: most of its measures are null.
        cls.run_folder = train(os.path.join(cls.folder, "runs", "watched"), "listops", "fnet",
                               task_min_tokens=10, task_max_tokens=40, train_steps=8,
                               log_tensorboard="true")
        with open(os.path.join(cls.run_folder, "metrics.jsonl"), encoding="utf-8") as file:
            cls.lines = [json.loads(line) for line in file]
        with open(os.path.join(cls.run_folder, "spec.json"), encoding="utf-8") as file:
            cls.spec = json.load(file)

    def expected(self):
        """{tag: [(step, value)]} of metrics.jsonl, and the test at the end."""
        with open(os.path.join(self.run_folder, "result.json"), encoding="utf-8") as file:
            record = json.load(file)
        end = self.lines[-1]["step"]
        scalars = {f"test/{what}": [(end, record[what]["test"])] for what in ("accuracy", "loss")}
        for line in self.lines:
            for key, value in line.items():
                if key not in ("split", "step") and value is not None:
                    scalars.setdefault(f"{line['split']}/{key}", []).append((line["step"], value))
        return scalars

    def compare(self, read):
        self.assertEqual(set(read), set(self.expected()))
        for tag, points in self.expected().items():
            self.assertEqual([step for step, _ in read[tag]], [step for step, _ in points], tag)
            for (_, got), (_, value) in zip(read[tag], points):
                self.assertAlmostEqual(got, value, delta=1e-6 * max(1, abs(value)))

    def test_records_are_framed(self):
        self.assertTrue(any(value is None for line in self.lines for value in line.values()))
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)  # RFC 3720
        with open(os.path.join(self.run_folder, "events.out.tfevents.lra"), "rb") as file:
            records = list(frames(file.read()))
        # The version, hyper-parameters and their end, the test.
        self.assertEqual(len(records), 4 + len(self.lines))
        self.assertIn(b"brain.Event:2", records[0])

    @unittest.skipUnless(found("google.protobuf"), "no protobuf; install python3-protobuf")
    def test_protobuf_reads_scalars_and_hyper_parameters(self):
        event_type, hparams_type = event_class()
        with open(os.path.join(self.run_folder, "events.out.tfevents.lra"), "rb") as file:
            events = [event_type.FromString(one) for one in frames(file.read())]
        self.assertEqual(events[0].file_version, "brain.Event:2")
        read, plugin = {}, {}
        for event in events:
            self.assertGreater(event.wall_time, 1.6e9)
            for value in event.summary.value:
                if value.metadata.plugin.name == "hparams":
                    plugin[value.tag] = hparams_type.FromString(value.metadata.plugin.content)
                    self.assertEqual(value.tensor.dtype, 1)
                else:
                    read.setdefault(value.tag, []).append((event.step, value.simple_value))
        self.compare(read)
        start = plugin["_hparams_/session_start_info"].start
        given = {one.key: one.value for one in start.hparams}
        self.assertEqual(given["train.steps"].number, self.spec["train"]["steps"])
        self.assertEqual(given["model.norm"].text, self.spec["model"]["norm"])
        self.assertEqual(plugin["_hparams_/session_end_info"].end.status, 1)

    @unittest.skipUnless(found("tensorboard"), "no tensorboard, which Debian does not have")
    def test_tensorboard_reads_scalars(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        board = EventAccumulator(self.run_folder, size_guidance={"scalars": 0})
        board.Reload()
        self.compare({tag: [(one.step, one.value) for one in board.Scalars(tag)]
                      for tag in board.Tags()["scalars"]})

    def example(self, module):
        """Runs the page's example of a module; of one that is not installed, a recorder."""
        with open(PAGE, encoding="utf-8") as file:
            blocks = re.findall(r"^```python\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        code, = (block for block in blocks if module in block.splitlines()[0])
        self.assertLessEqual(len(code.splitlines()), 11)
        recorder = Recorder(self)
        with mock.patch.dict(sys.modules, {module: getattr(recorder, module)()}), \
                mock.patch.object(sys, "argv", ["example.py", self.run_folder]), \
                contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "watching.md", "exec"), {"__name__": "__main__"})
        self.assertEqual(recorder.named["name"], "watched")
        self.assertEqual([step for step, _ in recorder.logged], [line["step"] for line in self.lines])
        return recorder

    def test_the_example_of_wandb(self):
        board = self.example("wandb")
        self.assertEqual(board.named["config"], self.spec)
        self.assertIn("val/accuracy", {key for _, values in board.logged for key in values})
        with open(os.path.join(self.run_folder, "result.json"), encoding="utf-8") as file:
            self.assertEqual(board.summary["test/accuracy"], json.load(file)["accuracy"]["test"])

    def test_the_example_of_mlflow(self):
        board = self.example("mlflow")
        self.assertEqual(board.params["train.steps"], 8)
        self.assertEqual(board.files, [os.path.join(self.run_folder, "result.json")])


if __name__ == "__main__":
    unittest.main()
