"""lra.golden.record: files that `lra check golden` takes, and those that it must not pass."""

import json
import math
import os
import unittest

import lra

from support import HAS_TORCH, Scratch, needs_torch, program

if HAS_TORCH:
    import torch

    class Softmax(torch.nn.Module):
        scale = None

        def forward(self, q, k, v, mask):
            scores = q @ k.transpose(-1, -2) * (self.scale or 1 / math.sqrt(q.shape[-1]))
            return scores.masked_fill(~mask[:, None, None, :], -math.inf).softmax(-1) @ v

    class Ssmax(torch.nn.Module):
        def __init__(self, heads):
            super().__init__()
            self.scale = torch.nn.Parameter(0.3 + torch.rand(heads))

        def forward(self, q, k, v):
            c = math.log(k.shape[2]) / math.sqrt(q.shape[-1]) * self.scale[:, None, None]
            return (c * (q @ k.transpose(-1, -2))).softmax(-1) @ v

    class Gated(torch.nn.Module):
        """Of the block's input, with maps whose transposes the variant has."""

        def __init__(self, width):
            super().__init__()
            self.inner = torch.nn.Linear(width, width)

        def forward(self, x):
            return self.inner(x)


@needs_torch
class GoldenTest(Scratch):
    def file(self, name):
        return os.path.join(self.folder, name)

    def test_a_module_is_the_variant(self):
        recorded = lra.golden.record(Softmax(), "softmax", self.file("right.json"), cross=7)
        self.assertEqual(recorded.cases, ["n13", "n1", "n13_padded", "n13_m7"])
        said = program("check", "golden", recorded.path)
        self.assertIn("4 passed, 0 failed, 0 skipped", said)

    def test_another_module_is_not(self):
        other = Softmax()
        other.scale = 0.4
        recorded = lra.golden.record(other, "softmax", self.file("wrong.json"))
        self.assertIn("FAIL", program("check", "golden", recorded.path, code=1))

    def test_parameters_under_other_names(self):
        module = Ssmax(2).double()
        before = module.scale.detach().clone()
        recorded = lra.golden.record(module, "softmax", self.file("ssmax.json"), lengths=[9],
                                     hyper={"logit_scale": "ssmax"}, parameters={"scale": "s"})
        self.assertIn("1 passed", program("check", "golden", recorded.path))
        self.assertTrue(bool((module.scale == before).all()))
        with open(recorded.path, encoding="utf-8") as file:
            case = json.load(file)["cases"][0]
        self.assertEqual(set(case["grad"]), {"q", "k", "v", "s"})
        case["grad"]["s"]["data"][0] *= 1.01
        with open(recorded.path, "w", encoding="utf-8") as file:
            json.dump({"format_version": 1, "variant": "softmax", "cases": [case]}, file)
        program("check", "golden", recorded.path, code=1)

    def test_transposed_parameters_and_functions(self):
        recorded = lra.golden.record(Gated(12), "x", self.file("gated.json"), width=12, lengths=[3],
                                     parameters={"inner.weight": ("W", "T"), "inner.bias": "b"})
        with open(recorded.path, encoding="utf-8") as file:
            case = json.load(file)["cases"][0]
        x, w, b, out = (torch.tensor(part["data"], dtype=torch.float64).reshape(part["shape"]) for part in
                        (*(case["inputs"][key] for key in "xWb"), case["expected"]["out"]))
        self.assertLess(float((x @ w + b - out).abs().max()), 1e-6)  # inputs are decimals of float32
        self.assertEqual(case["grad"]["W"]["shape"], [12, 12])

        def formula(q, k, v):
            weights = (torch.nn.functional.elu(q) + 1) @ (torch.nn.functional.elu(k) + 1).transpose(-1, -2)
            return weights @ v / (weights.sum(-1, keepdim=True) + 1e-6)

        recorded = lra.golden.record(formula, "linear", self.file("function.json"), value_dim=6)
        self.assertIn("2 passed", program("check", "golden", recorded.path))
        recorded = lra.golden.record(formula, "linear", self.file("call.json"), lengths=[5],
                                     call=lambda f, q, k, v: f(q, k, v))
        self.assertIn("1 passed", program("check", "golden", recorded.path))

    def test_the_same_numbers_again(self):
        for name in ("one.json", "two.json"):
            lra.golden.record(Softmax(), "softmax", self.file(name), seed=3)
        with open(self.file("one.json"), "rb") as one, open(self.file("two.json"), "rb") as two:
            self.assertEqual(one.read(), two.read())
        observed = lra.golden.record(Softmax(), "softmax", self.file("one.json")).observed["n13"]
        self.assertTrue(0 < observed["out"] < 1e-5 and 0 < observed["grad"] < 1e-5, observed)

    def test_what_is_refused(self):
        def unknown(q, k, v, bias):
            return q

        def drawing(q):
            return q * torch.rand(())

        for message, module, options in (
                ("argument bias", unknown, {}),
                ("no argument is named", lambda: None, {}),
                ("two runs differ", drawing, {}),
                ("output", lambda q: q[:1], {}),
                ("not finite", lambda q: q / 0, {}),
                ("no parameter scales; the module has scale", Ssmax(2), {"parameters": {"scales": "s"}}),
                ("two tensors are named q", Ssmax(2), {"parameters": {"scale": "q"}}),
                ("no cases", Softmax(), {"lengths": []})):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                lra.golden.record(module, "softmax", self.file("refused.json"), **options)
        self.assertFalse(os.path.exists(self.file("refused.json")))
        with self.assertRaises(OSError):
            lra.golden.record(Softmax(), "softmax", self.file("no/folder.json"))


if __name__ == "__main__":
    unittest.main()
