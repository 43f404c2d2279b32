"""lra.load and lra.results."""

import json
import os
import unittest
import warnings

import lra
import numpy

from support import Scratch, needs_pandas, program, train


class RunsTest(Scratch):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classes = train(os.path.join(cls.folder, "runs", "classes"), "listops", "cosformer",
                            task_min_tokens=10, task_max_tokens=40, train_steps=12)
        cls.tokens = train(os.path.join(cls.folder, "runs", "tokens"), "induction", "softmax", task_length=20)
        cls.pairs = train(os.path.join(cls.folder, "runs", "pairs"), "retrieval", "softmax",
                          task_max_length=120, data_train=8, data_val=4, data_test=6, train_steps=1)

    def test_accuracy_from_logits_is_the_records(self):
        run = lra.load(self.classes)
        examples = run.examples()
        self.assertEqual(len(examples), 40)
        logits = run.logits([e.tokens for e in examples])
        self.assertEqual((logits.shape, logits.dtype), ((40, 10), numpy.float32))
        right = logits.argmax(1) == [e.label for e in examples]
        self.assertEqual(right.mean(), run.record["accuracy"]["test"])
        result = run.evaluate()
        self.assertEqual((result["correct"], result["counted"]), (right.sum(), 40))
        said = json.loads(program("evaluate", self.classes, "--json"))
        self.assertEqual({key: said[key] for key in result}, result)
        expected = -numpy.mean([one[e.label] - numpy.log(numpy.exp(one).sum())
                                for one, e in zip(logits.astype("float64"), examples)])
        self.assertAlmostEqual(result["loss"], expected, 5)
        self.assertEqual(run.spec["attention"], "cosformer")
        self.assertEqual(run.parameters["head.out.bias"].shape, (10,))
        few = run.examples(limit=5)
        self.assertEqual(len(few), 5)
        self.assertEqual(run.evaluate(examples=5)["correct"],
                         (run.logits([e.tokens for e in few]).argmax(1) == [e.label for e in few]).sum())
        self.assertEqual(len(run.examples("val")), 16)

    def test_forms_of_token_arrays(self):
        run = lra.load(self.classes)
        a, b = (e.tokens for e in run.examples(limit=2))
        single = run.logits(a)
        self.assertEqual(single.shape, (10,))
        padded = numpy.zeros((2, 50), "int64")
        padded[0, :len(a)], padded[1, :len(b)] = a, b
        for batch in (run.logits(padded), run.logits([a, b]), run.logits([list(map(int, a)), b]),
                      run.logits(padded, lengths=[len(a), len(b)])):
            self.assertEqual(batch.shape, (2, 10))
            self.assertTrue((batch[0] == single).all())
        self.assertTrue((run.logits(list(map(int, a))) == single).all())
        self.assertFalse((run.logits(padded, lengths=[50, 50])[0] == single).all())

        run = lra.load(self.tokens)
        e, other = run.examples(limit=2)
        logits = run.logits(e.tokens)
        self.assertEqual(logits.shape, (len(e.tokens), run.parameters["head.out.bias"].size))
        both = run.logits(numpy.stack([e.tokens, numpy.append(other.tokens[:-2], [0, 0])]))
        self.assertTrue((both[0] == logits).all())
        self.assertFalse(both[1, -2:].any())
        self.assertEqual([len(one) for one in run.logits([e.tokens, other.tokens[:3]])], [len(e.tokens), 3])

        run = lra.load(self.pairs)
        e = run.examples(limit=1)[0]
        self.assertEqual(run.logits(e.tokens, e.second).shape, (2,))
        self.assertFalse((run.logits(e.tokens, e.second) == run.logits(e.second, e.tokens)).all())

    def test_errors_say_what_was_expected(self):
        run = lra.load(self.classes)
        pairs = lra.load(self.pairs)
        tokens = run.examples(limit=1)[0].tokens
        for kind, message, call in (
                (lra.ShapeError, "expected 1..", lambda: run.logits(numpy.ones(3000, int))),
                (lra.ShapeError, "0 ids", lambda: run.logits(numpy.ones(0, int))),
                (lra.ShapeError, "expected ids from 0", lambda: run.logits([1, -1])),
                (lra.Error, "999", lambda: run.logits([1, 999])),
                (TypeError, "whole numbers", lambda: run.logits([0.5])),
                (lra.UsageError, "expected 0 for task listops", lambda: run.logits(tokens, tokens)),
                (lra.UsageError, "expected 1 for task retrieval", lambda: pairs.logits(tokens)),
                (lra.ShapeError, "expected 1 numbers from 1 to 4", lambda: run.logits(numpy.ones((1, 4), int), lengths=[5])),
                (lra.UsageError, "did you mean test", lambda: run.examples("tset")),
                (lra.ConfigError, "max_token", lambda: run.evaluate(max_token=50)),
                (lra.UsageError, "how many examples", lambda: run.evaluate(examples=None, max_tokens=50)),
                (lra.DataError, "no spec.json", lambda: lra.load(self.folder)),
                (lra.Error, "nowhere", lambda: lra.results(os.path.join(self.folder, "nowhere")))):
            with self.subTest(message), self.assertRaisesRegex(kind, message):
                call()
        self.assertGreater(run.evaluate(examples=30, max_tokens=50)["examples"], 0)

    def test_results_are_all_records(self):
        folder = os.path.join(self.folder, "runs")
        records = lra.results(folder)
        self.assertEqual([one["task"]["name"] for one in records], ["listops", "retrieval", "induction"])
        with open(os.path.join(self.classes, "result.json"), encoding="utf-8") as file:
            written = json.load(file)
        self.assertEqual(records[0].pop("file"), os.path.join(self.classes, "result.json"))
        self.assertEqual(records[0], written)
        self.assertEqual(len(lra.results(self.classes, self.tokens)), 2)
        faulty = os.path.join(self.folder, "faulty")
        os.mkdir(faulty)
        with open(os.path.join(faulty, "result.json"), "w", encoding="utf-8") as file:
            file.write("{")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.assertEqual(len(lra.results(self.classes, faulty)), 1)
        self.assertIn("skipped 1 of 2", str(caught[0].message))
        with self.assertRaises(lra.DataError):
            lra.results(self.classes, faulty, strict=True)

    @needs_pandas
    def test_results_as_a_frame(self):
        frame = lra.results(os.path.join(self.folder, "runs"), pandas=True)
        self.assertEqual(len(frame), 3)
        self.assertEqual(frame["accuracy.test"][0], lra.load(self.classes).record["accuracy"]["test"])


if __name__ == "__main__":
    unittest.main()
