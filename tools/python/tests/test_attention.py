"""lra.attention, lra.Attention and lra.nn: numbers, gradients, errors, threads."""

import copy
import os
import pickle
import subprocess
import sys
import threading
import unittest

import lra
import numpy

from support import needs_torch

RANDOM = numpy.random.default_rng(3)
B, H, N, M, D = 2, 3, 17, 11, 5


def normal(*shape):
    return RANDOM.standard_normal(shape).astype("float32")


def plain_softmax(q, k, v, lengths=None):
    """In double precision."""
    q, k, v = (a.astype("float64") for a in (q, k, v))
    scores = q @ k.swapaxes(-1, -2) / numpy.sqrt(q.shape[-1])
    if lengths is not None:
        for b, n in enumerate(lengths):
            scores[b, :, :, n:] = -numpy.inf
    weights = numpy.exp(scores - scores.max(-1, keepdims=True))
    out = weights / weights.sum(-1, keepdims=True) @ v
    for b, n in enumerate(lengths or []):
        out[b, :, n:] = 0
    return out


def module_inputs(name, n=16, **options):
    """A module and inputs that fit it."""
    module = lra.Attention(name, 2, 8, width=16, max_length=32, **options)
    return module, [normal(B, n, 16) if one == "x" else normal(B, 2, n, 8) for one in module.inputs]


class AttentionTest(unittest.TestCase):
    def test_softmax_is_its_formula(self):
        q, k, v = normal(B, H, N, D), normal(B, H, M, D), normal(B, H, M, 4)
        out = lra.attention("softmax", q, k, v)
        self.assertEqual((out.shape, out.dtype), ((B, H, N, 4), numpy.float32))
        self.assertLess(abs(out - plain_softmax(q, k, v)).max(), 2e-6)
        one = lra.attention("softmax", q[0], k[0], v[0])
        self.assertTrue((one == out[0]).all())
        self.assertTrue((lra.attention("softmax", q.astype("float64"), k, v) == out).all())

    def test_padding_weighs_nothing_and_is_zero(self):
        q, k, v = normal(B, H, N, D), normal(B, H, N, D), normal(B, H, N, D)
        lengths = [17, 6]
        out = lra.attention("softmax", q, k, v, lengths=lengths)
        self.assertLess(abs(out - plain_softmax(q, k, v, lengths)).max(), 2e-6)
        k[1, :, 6:], v[1, :, 6:] = 1e6, -1e6
        self.assertTrue((lra.attention("softmax", q, k, v, lengths=numpy.array(lengths)) == out).all())

    def test_every_variant_runs_and_has_gradients(self):
        for name in lra.variants():
            with self.subTest(name):
                module, inputs = module_inputs(name)
                out = module(*inputs, lengths=[16, 9])
                self.assertTrue(numpy.isfinite(out).all())
                self.assertFalse(out[1, ..., 9:, :].any())
                gradients = module.backward(normal(*out.shape), *inputs, lengths=[16, 9])
                self.assertEqual(set(gradients), set(module.inputs) | set(module.parameters))
                for key, value in {**dict(zip(module.inputs, inputs)), **module.parameters}.items():
                    self.assertEqual(gradients[key].shape, value.shape, key)

    def test_gradients_of_parameters_by_differences(self):
        # Smooth variants; a step of float32.
        for name, options in (("softmax", {"logit_scale": "ssmax"}), ("gla", {}), ("synthesizer", {}),
                              ("s4d", {}), ("linformer", {"kproj": 4})):
            module, inputs = module_inputs(name, **options)
            out = module(*inputs)
            upstream = normal(*out.shape)
            gradients = module.backward(upstream, *inputs)
            for key, value in {**module.parameters, module.inputs[0]: inputs[0]}.items():
                direction = normal(*value.shape)
                step = 1e-2 / numpy.sqrt(value.size)
                start = value.copy()
                sums = []
                for sign in (1, -1):
                    value[...] = start + sign * step * direction
                    sums.append((module(*inputs).astype("float64") * upstream).sum())
                value[...] = start
                expected = (sums[0] - sums[1]) / (2 * step)
                scale = max(1.0, numpy.sqrt((gradients[key].astype("float64") ** 2).sum()))
                self.assertLess(abs((gradients[key] * direction).sum() - expected) / scale, 2e-2, (name, key))

    def test_parameters_are_the_modules_own(self):
        module, inputs = module_inputs("softmax", logit_scale="ssmax")
        before = module(*inputs)
        module.parameters["s"][...] = 0
        means = numpy.broadcast_to(inputs[2].mean(2, keepdims=True), before.shape)
        self.assertGreater(abs(module(*inputs) - before).max(), 1e-3)
        self.assertLess(abs(module(*inputs) - means).max(), 1e-6)
        given = lra.attention("softmax", *inputs, logit_scale="ssmax",
                              parameters={"s": numpy.zeros(2, "float32")})
        self.assertLess(abs(given - means).max(), 1e-6)
        for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            self.assertTrue((again(*inputs) == module(*inputs)).all())
            again.parameters["s"][...] = 2
            self.assertFalse(module.parameters["s"].any())

    def test_seeds_decide_what_is_drawn(self):
        for name in (one for one in lra.variants() if lra.describe(one)["stochastic"]):
            module, inputs = module_inputs(name)
            self.assertTrue((module(*inputs, seed=5) == module(*inputs, seed=5)).all(), name)
        q = normal(B, H, N, D)
        dropped = [lra.attention("softmax", q, q, q, training=True, dropout=0.5, seed=s) for s in (1, 1, 2)]
        self.assertTrue((dropped[0] == dropped[1]).all())
        self.assertFalse((dropped[0] == dropped[2]).all())
        self.assertTrue((lra.attention("softmax", q, q, q, dropout=0.5)
                         == lra.attention("softmax", q, q, q)).all())

    def test_errors_say_what_was_expected(self):
        q = normal(B, H, N, D)
        x = normal(B, N, 12)
        refused = [
            (lra.UsageError, "did you mean cosformer", lambda: lra.attention("cosfromer", q, q, q)),
            (lra.ConfigError, "did you mean causal", lambda: lra.attention("cosformer", q, q, q, cuasal=True)),
            (lra.ConfigError, "expected", lambda: lra.attention("cosformer", q, q, q, eps=-1)),
            (lra.ShapeError, r"v; got \[2, 2, 17, 5\]", lambda: lra.attention("softmax", q, q, q[:, :2])),
            (lra.ShapeError, r"k; got \[1, 3, 17, 5\]", lambda: lra.attention("softmax", q, q[:1], q)),
            (lra.ShapeError, "lengths; got 18", lambda: lra.attention("softmax", q, q, q, lengths=[18, 1])),
            (lra.ShapeError, "one for each of 2", lambda: lra.attention("softmax", q, q, q, lengths=[1])),
            (lra.ShapeError, "expected the same number", lambda: lra.attention("nystromformer", q, q[:, :, :3], q[:, :, :3])),
            (lra.UsageError, "no input v", lambda: lra.attention("softmax", q, q)),
            (lra.UsageError, "no arrays; expected q, k, v", lambda: lra.attention("softmax")),
            (lra.UsageError, "no input x; expected q, k, v, x", lambda: lra.attention("gla", q, q, q)),
            (lra.UsageError, "x is not taken", lambda: lra.attention("softmax", q, q, q, x=normal(B, N, 15))),
            (lra.UsageError, "no input x", lambda: lra.attention("s4d", q, q, q)),
            (lra.ShapeError, "a divisor of 12", lambda: lra.attention("luna", x=x, heads=5)),
            (lra.ShapeError, "max_length", lambda: lra.attention("softmax", q, q, q, max_length=16)),
            (lra.ConfigError, "dropout", lambda: lra.attention("softmax", q, q, q, dropout=1.0)),
            (lra.ConfigError, "heads; got 0", lambda: lra.Attention("softmax", 0, 4)),
            (lra.UsageError, "unknown parameter 't'", lambda: lra.attention(
                "softmax", q, q, q, logit_scale="ssmax", parameters={"t": normal(3)})),
            (lra.ShapeError, r"s; got \[4\]", lambda: lra.attention(
                "softmax", q, q, q, logit_scale="ssmax", parameters={"s": normal(4)})),
            (lra.ShapeError, "grad_out", lambda: lra.Attention("softmax", H, D).backward(q[:, :, :4], q, q, q)),
            (lra.UsageError, "expected 0", lambda: lra.set_threads(-1)),
            (TypeError, "floating-point", lambda: lra.attention("softmax", q.astype(int), q, q)),
            (TypeError, "twice", lambda: lra.Attention("softmax", H, D)(q, q, q, q=q)),
        ]
        for kind, message, call in refused:
            with self.subTest(message), self.assertRaisesRegex(kind, message):
                call()
        self.assertTrue(issubclass(lra.ShapeError, ValueError) and issubclass(lra.ShapeError, lra.Error))
        self.assertTrue(issubclass(lra.IoError, OSError))

    def test_bits_do_not_depend_on_threads(self):
        module, _ = module_inputs("synthesizer")
        inputs = [normal(9, 16, 16) if one == "x" else normal(9, 2, 16, 8) for one in module.inputs]
        upstream = normal(*module(*inputs).shape)
        expected = module.backward(upstream, *inputs)
        wrong = []

        def work():
            for _ in range(3):
                found = module.backward(upstream, *inputs)
                wrong.extend(key for key in expected if not (found[key] == expected[key]).all())

        try:
            for count in (1, 2, 3):
                lra.set_threads(count)
                self.assertEqual(lra.threads(), count)
                several = [threading.Thread(target=work) for _ in range(3)]
                for thread in several:
                    thread.start()
                for thread in several:
                    thread.join()
        finally:
            lra.set_threads(0)
        self.assertEqual(wrong, [])

    def test_threads_are_those_of_the_affinity_mask(self):
        cpu = {min(os.sched_getaffinity(0))}
        said = subprocess.run([sys.executable, "-c", "import lra; print(lra.threads())"], check=True, text=True,
                              stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cpu)).stdout
        self.assertEqual(said.strip(), "1")

    def test_python_goes_on_while_it_computes(self):
        q = normal(1, 2, 3000, 32)
        turns = [0]
        done = threading.Event()

        def count():
            while not done.is_set():
                turns[0] += 1

        counter = threading.Thread(target=count)
        counter.start()
        try:
            for _ in range(20):
                before = turns[0]
                lra.attention("softmax", q, q, q)
                if turns[0] > before + 100:
                    break
            else:
                self.fail("the lock was held in every call")
        finally:
            done.set()
            counter.join()


@needs_torch
class TorchTest(unittest.TestCase):
    def leaves(self, *shapes):
        import torch
        return [torch.from_numpy(normal(*shape)).requires_grad_() for shape in shapes]

    def compare(self, name, formula, tensors, tolerance, **options):
        """Output and gradients of lra and of a plain formula in double."""
        import torch
        out = lra.attention(name, *tensors, **options)
        doubles = [tensor.detach().double().requires_grad_() for tensor in tensors]
        expected = formula(*doubles)
        upstream = torch.from_numpy(normal(*out.shape))
        gradients = torch.autograd.grad(out, tensors, upstream)
        wanted = torch.autograd.grad(expected, doubles, upstream.double())
        scale = max(float(gradient.abs().max()) for gradient in wanted)
        errors = {"out": float((out - expected).abs().max() / expected.abs().max())}
        for key, found, right in zip("qkv", gradients, wanted):
            errors[key] = float((found - right).abs().max()) / scale
        print(f"  {name} {options}: " + ", ".join(f"{key} {error:.1e}" for key, error in errors.items()))
        for key, error in errors.items():
            self.assertLess(error, tolerance, (name, key))

    def test_gradients_are_those_of_plain_formulas(self):
        import math
        import torch

        def softmax(q, k, v):
            return (q @ k.transpose(-1, -2) / math.sqrt(D)).softmax(-1) @ v

        def cosformer(q, k, v):
            i, j = torch.arange(q.shape[2])[:, None], torch.arange(k.shape[2])
            weights = q.relu() @ k.relu().transpose(-1, -2)
            weights = weights * torch.cos(math.pi / 2 * (i - j).double() / max(q.shape[2], k.shape[2]))
            return weights @ v / weights.sum(-1, keepdim=True).clamp(min=1e-6)

        before = torch.ones(N, N, dtype=torch.bool).tril()

        def causal(q, k, v):
            return (q @ k.transpose(-1, -2) / math.sqrt(D)).masked_fill(~before, -math.inf).softmax(-1) @ v

        def elu(x):
            return torch.nn.functional.elu(x) + 1

        def linear(q, k, v, allowed=None):
            weights = elu(q) @ elu(k).transpose(-1, -2)
            weights = weights if allowed is None else weights * allowed
            return weights @ v / (weights.sum(-1, keepdim=True) + 1e-6)

        def efficient(q, k, v):
            return q.softmax(-1) @ (k.softmax(-2).transpose(-1, -2) @ v)

        def local(q, k, v):
            block = torch.arange(N) // 4
            scores = q @ k.transpose(-1, -2) / math.sqrt(D)
            return scores.masked_fill(block[:, None] != block, -math.inf).softmax(-1) @ v

        def softpick(q, k, v):
            scores = q @ k.transpose(-1, -2) / math.sqrt(D)
            raised = scores.exp() - 1
            return raised.relu() @ v / (raised.abs().sum(-1, keepdim=True) + 1e-8 * scores.exp().amax(-1, keepdim=True))

        def padded(formula):  # lengths N and 6
            def result(q, k, v):
                one, two = formula(q[:1], k[:1], v[:1]), formula(*(x[1:, :, :6] for x in (q, k, v)))
                return torch.cat([one, torch.nn.functional.pad(two, (0, 0, 0, N - 6))])
            return result

        self.compare("softmax", softmax, self.leaves((B, H, N, D), (B, H, M, D), (B, H, M, 4)), 2e-6)
        self.compare("softmax", softmax, self.leaves((B, H, N, D), (B, H, M, D), (B, H, M, 4)), 2e-6,
                     form="plain")
        self.compare("softmax", causal, self.leaves(*[(B, H, N, D)] * 3), 2e-6, causal=True)
        self.compare("cosformer", cosformer, self.leaves(*[(B, H, N, D)] * 3), 2e-5)
        self.compare("linear", linear, self.leaves((B, H, N, D), (B, H, M, D), (B, H, M, 4)), 5e-6)
        self.compare("linear", lambda q, k, v: linear(q, k, v, before), self.leaves(*[(B, H, N, D)] * 3), 5e-6,
                     causal=True)
        self.compare("efficient", efficient, self.leaves((B, H, N, D), (B, H, M, D), (B, H, M, 4)), 5e-6)
        self.compare("local", local, self.leaves(*[(B, H, N, D)] * 3), 5e-6, block_size=4)
        self.compare("softpick", softpick, self.leaves(*[(B, H, N, D)] * 3), 2e-5)
        for name, formula in (("softmax", softmax), ("linear", linear), ("efficient", efficient)):
            self.compare(name, padded(formula), self.leaves(*[(B, H, N, D)] * 3), 5e-6, lengths=[N, 6])

    def test_parameters_get_gradients(self):
        import math
        import torch
        q, k, v, s = self.leaves(*[(B, H, N, D)] * 3, (H,))
        out = lra.attention("softmax", q, k, v, logit_scale="ssmax", parameters={"s": s})
        doubles = [tensor.detach().double().requires_grad_() for tensor in (q, k, v, s)]
        a, b, c, d = doubles
        scores = a @ b.transpose(-1, -2) / math.sqrt(D) * math.log(N) * d[:, None, None]
        upstream = torch.from_numpy(normal(*out.shape))
        found = torch.autograd.grad(out, [q, k, v, s], upstream)
        right = torch.autograd.grad(scores.softmax(-1) @ c, doubles, upstream.double())
        for one, other in zip(found, right):
            self.assertLess(float((one - other).abs().max() / other.abs().max()), 1e-5)

    def test_types_and_what_needs_no_gradient(self):
        import torch
        q, k, v = self.leaves(*[(B, H, N, D)] * 3)
        out = lra.attention("softmax", q.double(), k.detach().double(), v.detach().double())
        self.assertEqual(out.dtype, torch.float64)
        out.sum().backward()
        self.assertEqual(q.grad.dtype, torch.float32)
        self.assertIsNone(k.grad)
        with torch.no_grad():
            self.assertFalse(lra.attention("softmax", q, k, v).requires_grad)
        one = lra.attention("softmax", q[0], k[0], v[0], lengths=[4])
        self.assertFalse(bool(one[:, 4:].any()))
        with self.assertRaisesRegex(TypeError, "expected torch.Tensor"):
            lra.attention("softmax", q, k, v.detach().numpy())

    def test_a_module_trains(self):
        import torch
        torch.manual_seed(0)
        target = lra.Attention("softmax", H, D, logit_scale="ssmax")
        target.parameters["s"][...] = [0.2, 0.6, 1.0]
        module = lra.nn.Attention("softmax", H, D, logit_scale="ssmax")
        self.assertEqual([name for name, _ in module.named_parameters()], ["s"])
        optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
        q, k, v = (torch.from_numpy(normal(4, H, N, D)) for _ in range(3))
        wanted = torch.from_numpy(target(q.numpy(), k.numpy(), v.numpy()))
        losses = []
        for _ in range(80):
            optimizer.zero_grad()
            loss = ((module(q, k, v) - wanted) ** 2).sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], 1e-2 * losses[0])
        again = copy.deepcopy(module)
        self.assertTrue(bool((again(q, k, v) == module.eval()(q, k, v)).all()))
        block = lra.nn.Attention("luna", 2, 6, width=12, max_length=N)
        x = torch.from_numpy(normal(B, N, 12)).requires_grad_()
        block(x, lengths=torch.tensor([17, 5])).sum().backward()
        self.assertFalse(bool(x.grad[1, 5:].any()))
        self.assertTrue(all(parameter.grad is not None for parameter in block.parameters()))

    def test_dropout_is_the_same_in_both_passes(self):
        import torch
        torch.manual_seed(4)
        module = lra.nn.Attention("softmax", H, D, dropout=0.5)
        q, k, v = self.leaves(*[(B, H, N, D)] * 3)
        out = module(q, k, v)
        # Linear in v: the gradient of sum(out u) along v is sum(out u) itself.
        upstream = torch.from_numpy(normal(*out.shape))
        gradient, = torch.autograd.grad(out, [v], upstream)
        self.assertLess(abs(float((gradient * v).sum() - (out * upstream).sum())), 1e-3)
        self.assertFalse(bool((module(q, k, v) == out).all()))
        module.eval()
        self.assertTrue(bool((module(q, k, v) == module(q, k, v)).all()))


if __name__ == "__main__":
    unittest.main()
