"""tools/python/encoder.py against the program: logits, accuracy, and weights both ways."""

import itertools
import json
import os
import shutil
import unittest

import numpy

from support import Scratch, needs_torch, program, train

POOLINGS = ("cls", "first", "mean", "mean_all", "mean_zeroed", "max", "max_all", "sum", "last")
LISTOPS = {"task_min_tokens": 10, "task_max_tokens": 40, "task_max_length": 60, "train_steps": 1,
           "data_test": 6, "data_val": 4, "data_train": 8}
TOLERANCE = 1e-5  # of the largest logit, and absolute below 1


@needs_torch
class EncoderTest(Scratch):
    def make(self, name, task, attention, **settings):
        """A run whose weights are far from their initial values, so that every part shows; both
        sides read the file that the encoder wrote."""
        import encoder
        import torch

        folder = train(os.path.join(self.folder, name), task, attention, **settings)
        model = encoder.load(folder)
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.15 * torch.randn_like(parameter)
        encoder.save(model, os.path.join(folder, "model.safetensors"))
        return folder

    def difference(self, folder, limit=6, zeros=False):
        """The largest difference of logits, in units of the tolerance's scale. zeros: of examples in
        which a third of the ids is 0, and of one that is nothing else."""
        import encoder
        import lra
        import torch

        run = lra.load(folder)
        model = encoder.load(folder)
        examples = run.examples(limit=limit)
        if zeros:
            for i, e in enumerate(examples):
                e.tokens[numpy.random.default_rng(i).random(len(e.tokens)) < 1 / 3] = 0
            examples.append(examples[0]._replace(tokens=numpy.zeros_like(examples[0].tokens)))
        ours = run.logits([e.tokens for e in examples],
                          None if examples[0].second is None else [e.second for e in examples])
        first = padded([e.tokens for e in examples])
        lengths = torch.tensor([len(e.tokens) for e in examples])
        second = second_lengths = None
        if examples[0].second is not None:
            second = padded([e.second for e in examples])
            second_lengths = torch.tensor([len(e.second) for e in examples])
        with torch.no_grad():
            theirs = model(first, second, lengths, second_lengths).numpy()
        worst = 0.0
        for i, logits in enumerate(ours):
            expected = theirs[i][:len(logits)] if logits.ndim == 2 else theirs[i]
            worst = max(worst, float(abs(logits - expected).max()) / max(1.0, float(abs(expected).max())))
        self.assertGreater(float(abs(theirs).max()), 0.05)
        self.assertLess(float(abs(theirs[0] - theirs[1]).max()), 100)
        self.assertGreater(float(abs(theirs[0] - theirs[1]).max()), 10 * TOLERANCE)
        return worst

    def check(self, name, task, attention, limit=6, zeros=False, **settings):
        worst = self.difference(self.make(name, task, attention, **settings), limit, zeros)
        print(f"  {name}: {worst:.1e}", flush=True)
        self.assertLess(worst, TOLERANCE, name)

    def test_every_attention_norm_and_pooling(self):
        positions = itertools.cycle(("learned", "sinusoidal", "none", "learned"))
        activations = itertools.cycle(("gelu_erf", "relu", "gelu_tanh"))
        for attention, norm in itertools.product(("softmax", "linear_transformer", "cosformer"), ("pre", "post")):
            for pooling in POOLINGS:
                at, activation = next(positions), next(activations)
                name = f"{attention}-{norm}-{pooling}-{at}-{activation}"
                with self.subTest(name):
                    self.check(name, "listops", attention, model_norm=norm, model_pooling=pooling,
                               model_positions=at, model_activation=activation, model_layers=2, **LISTOPS)

    def test_options_of_attention(self):
        for attention, options in (
                ("softmax", {"logit_scale": "ssmax"}), ("softmax", {"logit_scale": "log_n", "causal": "true"}),
                ("linear_transformer", {"normalize": "false"}), ("linear_transformer", {"causal": "true"}),
                ("cosformer", {"causal": "true", "act": "elu+1"}), ("cosformer", {"m": "tensor"}),
                ("cosformer", {"m": "maximum", "act": "square"}), ("cosformer", {"reweight": "false"})):
            name = "-".join([attention, *map(str, options.values())])
            with self.subTest(name):
                self.check(name, "listops", attention, **LISTOPS,
                           **{f"attention_{key}": value for key, value in options.items()})

    def test_options_of_the_model(self):
        for name, settings in {
                "plain": {"model_final_norm": "false", "model_attention_bias": "false", "model_heads": 4},
                "gate-head": {"model_attention_gate": "head", "model_feed_forward": "false"},
                "gate-element": {"model_attention_gate": "element", "model_head_layers": 2},
                "divisor": {"model_pooling": "mean_zeroed", "model_padded_length": 50}}.items():
            with self.subTest(name):
                self.check(name, "listops", "cosformer", **LISTOPS, **settings)

    def test_heads_of_tasks_and_pixels(self):
        small = {"data_train": 8, "data_val": 4, "data_test": 6, "train_steps": 1}
        self.check("pair", "retrieval", "cosformer", task_max_length=100, **small)
        self.check("pair-concat", "retrieval", "softmax", task_max_length=100, model_pair_features="concat",
                   model_pooling="cls", **small)
        self.check("tokens", "induction", "softmax", task_length=24, **small)
        self.check("tokens-cls", "parity", "linear_transformer", task_length=20, model_pooling="cls", **small)
        self.check("tokens-tied", "mqar", "cosformer", task_length=24, task_vocabulary=64, model_classifier="tied", **small)
        self.check("pixels", "image", "linear_transformer", limit=2, model_input="pixels",
                   model_positions="sinusoidal_2d", **small)
        self.check("zeros", "image", "cosformer", limit=2, zeros=True, task_pixel_mask="google", model_pooling="mean_all",
                   **small)
        self.check("zeros-cls", "image", "cosformer", limit=2, zeros=True, task_pixel_mask="google", model_pooling="cls",
                   model_input="pixels", model_positions="sinusoidal_2d", **small)

    def test_padded_batches_without_lengths(self):
        import encoder
        import torch

        folder = self.make("batch", "listops", "softmax", **LISTOPS)
        model = encoder.load(folder)
        tokens = torch.randint(1, 16, (3, 20))
        tokens[1, 11:] = 0
        tokens[2, 1:] = 0
        with torch.no_grad():
            for row in tokens:
                n = int((row != 0).sum())
                single = model(row[None, :n])
                self.assertLess(float((model(tokens)[(tokens == row).all(1)] - single).abs().max()), 1e-5)

    def test_accuracy_of_a_trained_run(self):
        import encoder
        import lra
        import torch

        folder = train(os.path.join(self.folder, "trained"), "induction", "cosformer", task_length=16,
                       train_steps=60, train_batch_size=16, data_train=512, data_test=120)
        run = lra.load(folder)
        model = encoder.load(folder)
        right = counted = 0
        for e in run.examples():
            with torch.no_grad():
                logits = model(torch.from_numpy(e.tokens.astype("int64"))[None])[0].numpy()
            labelled = e.label != -100
            right += int((logits.argmax(-1)[labelled] == e.label[labelled]).sum())
            counted += int(labelled.sum())
        result = run.evaluate(examples=None)
        print(f"  accuracy: lra {result['accuracy']:.4f}, encoder {right / counted:.4f}, of {counted}")
        self.assertEqual((right, counted), (result["correct"], result["counted"]))
        self.assertEqual(result["accuracy"], run.record["accuracy"]["test"])

    def test_weights_go_both_ways(self):
        import encoder
        import torch

        folder = train(os.path.join(self.folder, "written"), "listops", "linear_transformer", **LISTOPS)
        file = os.path.join(folder, "model.safetensors")
        before = open(file, "rb").read()
        metadata = encoder.read_safetensors(file)[1]
        self.assertEqual(metadata["format"], "pt")
        model = encoder.load(folder)
        encoder.save(model, file)
        self.assertEqual(open(file, "rb").read(), before)  # the same digest, too
        with torch.no_grad():
            model.head.out.weight.zero_()
            model.head.out.bias.copy_(-torch.arange(10.0))
        encoder.save(model, file)
        said = json.loads(program("evaluate", folder, "--json"))
        labels = self.labels(folder)
        self.assertEqual(said["correct"], labels.count(0))  # it answers the first class only
        damaged = bytearray(open(file, "rb").read())
        damaged[-1] ^= 1
        open(file, "wb").write(damaged)
        self.assertIn("damaged", program("evaluate", folder, code=3))

    def labels(self, folder):
        import lra
        return [e.label for e in lra.load(folder).examples()]

    def test_what_is_not_there_is_refused(self):
        import encoder

        for change in ({"config": {"positions": "rotary"}}, {"attention": "performer"},
                       {"config": {"depth": 2}}, {"options": {"causl": True}}, {"task": {"clases": 2}}):
            with self.assertRaises(ValueError):
                encoder.Encoder(**change)
        folder = train(os.path.join(self.folder, "refused"), "listops", "softmax", **LISTOPS)
        other = encoder.Encoder({"layers": 2}, {"classes": 10})
        with self.assertRaisesRegex(ValueError, "expected"):
            encoder.load_weights(other, os.path.join(folder, "model.safetensors"))
        with self.assertRaisesRegex(ValueError, "expected at most 60"):
            encoder.load(folder)(numpy.ones((1, 61), "int64"))
        path = os.path.join(self.folder, "cut.safetensors")
        shutil.copy(os.path.join(folder, "model.safetensors"), path)
        os.truncate(path, os.path.getsize(path) // 2)
        with self.assertRaises(ValueError):
            encoder.read_safetensors(path)

    def test_safetensors_of_others_are_the_same(self):
        try:
            from safetensors.numpy import load_file
        except ImportError:
            self.skipTest("no safetensors; install python3-safetensors")
        import encoder
        folder = train(os.path.join(self.folder, "others"), "listops", "softmax", **LISTOPS)
        file = os.path.join(folder, "model.safetensors")
        ours, theirs = encoder.read_safetensors(file)[0], load_file(file)
        self.assertEqual(set(ours), set(theirs))
        for name in ours:
            self.assertTrue((ours[name] == theirs[name]).all())


def padded(sequences):
    import torch
    batch = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.int64)
    for row, sequence in zip(batch, sequences):
        row[:len(sequence)] = torch.from_numpy(sequence.astype("int64"))
    return batch


if __name__ == "__main__":
    unittest.main()
