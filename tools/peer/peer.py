#!/usr/bin/env python3
"""The encoder of `lra bench` in PyTorch or ONNX Runtime, written to be fast: times training or inference.

Two layers of width 64 with two heads, feed-forward 128, pre-norm, GELU, learned positions, mean
pooling, no dropout; batches of random tokens. Prints one JSON line. Linear attention,
cosFormer and Performer as two products each (never N x N), local attention and BigBird in blocks, the
variants' options as `lra` has them by default; one projection for q, k, v, fused AdamW. torch.compile, the
number of sequences at a time and scaled_dot_product_attention are options: compare.py tries them. Sequences
of several lengths are sorted by length, and those at a time padded to the longest of them. ONNX Runtime
infers in f32 what torch.onnx has exported; that it computes the same is checked.
"""

import argparse
import contextlib
import io
import json
import math
import os
import resource
import statistics
import time


ATTENTIONS = ["softmax", "linear", "cosformer", "performer", "linformer", "nystromformer", "local", "bigbird"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attention", choices=ATTENTIONS, required=True)
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--n", type=int, default=1024, help="tokens of a sequence")
    parser.add_argument("--lengths", metavar="FILE", help="numbers of tokens that the sequences have in turn; --n is "
                        "the longest of them")
    parser.add_argument("--batch", type=int, default=32, help="sequences per step")
    parser.add_argument("--at-once", type=int, default=0, help="sequences per forward pass; 0: all of a step")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--sdpa", action="store_true", help="softmax attention, also that within others, by "
                        "scaled_dot_product_attention")
    parser.add_argument("--runtime", choices=["torch", "onnxruntime"], default="torch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, after two steps of warm-up")
    args = parser.parse_args()
    if args.lengths and args.attention not in ("softmax", "linear", "cosformer"):
        parser.error("--lengths: for softmax, linear and cosformer alone")
    if args.runtime == "onnxruntime" and (args.lengths or args.mode != "infer" or args.precision != "f32"):
        parser.error("--runtime onnxruntime: for --mode infer in f32 with sequences of one length alone")
    return args


ARGS = arguments()
os.environ.setdefault("OMP_NUM_THREADS", str(ARGS.threads))

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

LAYERS, WIDTH, HEADS, FF, VOCABULARY, CLASSES = 2, 64, 2, 128, 256, 10


def ratio(q, k, v):
    """q (k^T v) / q (k^T 1); q, k: features that are not negative [B, H, N, R]."""
    total = q @ k.sum(-2).unsqueeze(-1)
    return q @ (k.transpose(-1, -2) @ v) / (total + 1e-6)


def attend(q, k, v, real=None):
    if ARGS.sdpa:
        return F.scaled_dot_product_attention(q, k, v, real)
    weights = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if real is not None:
        weights = weights.masked_fill(~real, -1e9)
    return torch.softmax(weights, -1) @ v


# `real` [B, 1, N, 1] marks the tokens that are not padding; None: all.
class Softmax(nn.Module):
    def forward(self, q, k, v, real=None):
        return attend(q, k, v, None if real is None else real.transpose(-1, -2))


class Linear(nn.Module):
    def forward(self, q, k, v, real=None):
        k = F.elu(k) + 1
        return ratio(F.elu(q) + 1, k if real is None else k * real, v)


class Cosformer(nn.Module):
    """cos(a - b) = cos a cos b + sin a sin b: features of twice the width."""

    def __init__(self):
        super().__init__()
        angle = math.pi / 2 * torch.arange(ARGS.n).float()[:, None] / ARGS.n
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    @staticmethod
    def features(x, cos, sin):
        x = F.relu(x)
        return torch.cat([x * cos.to(x.dtype), x * sin.to(x.dtype)], -1)

    def forward(self, q, k, v, real=None):
        if real is None:
            return ratio(self.features(q, self.cos, self.sin), self.features(k, self.cos, self.sin), v)
        places = torch.arange(q.shape[2])[:, None]
        angle = math.pi / 2 * places / real.sum(2, keepdim=True)  # [B, 1, N, 1]
        cos, sin = angle.cos(), angle.sin()
        return ratio(self.features(q, cos, sin), self.features(k * real, cos, sin), v)


class Performer(nn.Module):
    """FAVOR+ for the softmax kernel: 256 orthogonal features, positive, kept from overflow by their maximum."""

    def __init__(self):
        super().__init__()
        d, m = WIDTH // HEADS, 256
        rows = [torch.linalg.qr(torch.randn(d, d))[0].T * torch.randn(d, d).norm(dim=1, keepdim=True)
                for _ in range(m // d)]
        self.register_buffer("projection", torch.cat(rows).T, persistent=False)  # [D, M]

    def features(self, x, dims):
        x = x * x.shape[-1] ** -0.25
        z = x @ self.projection.to(x.dtype)
        z = z - x.square().sum(-1, keepdim=True) / 2
        return torch.exp(z - z.amax(dims, keepdim=True).detach()) + 1e-4

    def forward(self, q, k, v):
        return ratio(self.features(q, -1), self.features(k, (-2, -1)), v)


class Linformer(nn.Module):
    """Keys and values as 256 projected rows, one matrix per head for both."""

    def __init__(self):
        super().__init__()
        self.projection = nn.Parameter(0.02 * torch.randn(HEADS, 256, ARGS.n))

    def forward(self, q, k, v):
        k, v = (self.projection @ torch.cat([k, v], -1)).chunk(2, -1)
        return attend(q, k, v)


class Nystromformer(nn.Module):
    """64 landmarks, six steps of the pseudo-inverse, a convolution of 35 values."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(HEADS, HEADS, (35, 1), padding=(17, 0), groups=HEADS, bias=False)

    def forward(self, q, k, v):
        scale = q.shape[-1] ** -0.25
        qs, ks = ((scale * x).unflatten(2, (64, -1)).mean(3) for x in (q, k))  # [B, H, 64, D]
        near = torch.softmax(qs @ ks.transpose(-1, -2), -1)
        inverse = near.transpose(-1, -2) / near.sum(-2).amax(-1)[..., None, None]
        one = torch.eye(64)
        for _ in range(6):
            product = near @ inverse
            inverse = inverse / 4 @ (13 * one - product @ (15 * one - product @ (7 * one - product)))
        summary = inverse @ attend(qs / scale, k, v)
        return attend(q, ks / scale, summary) + self.convolution(v)


class Local(nn.Module):
    """Blocks of 50 tokens; the last one is filled with keys that a mask leaves out."""

    def __init__(self):
        super().__init__()
        self.blocks = -(-ARGS.n // 50)
        real = torch.arange(50 * self.blocks).view(self.blocks, 1, 50) < ARGS.n
        self.register_buffer("real", real, persistent=False)

    def forward(self, q, k, v):
        def cut(x):
            return F.pad(x, (0, 0, 0, 50 * self.blocks - ARGS.n)).unflatten(2, (self.blocks, 50))

        q, k, v = cut(q), cut(k), cut(v)
        return attend(q, k, v, self.real).flatten(2, 3)[:, :, :ARGS.n]


class BigBird(nn.Module):
    """Blocks of 64: the first and the last see all; the others these two, three around them, three random ones."""

    def __init__(self):
        super().__init__()
        self.blocks = ARGS.n // 64
        assert ARGS.n % 64 == 0 and self.blocks >= 8
        lists = []
        for t in range(1, self.blocks - 1):
            seen = sorted({0, t - 1, t, t + 1, self.blocks - 1})
            others = [b for b in torch.randperm(self.blocks).tolist() if b not in seen]
            lists.append((seen + others)[:8])
        self.register_buffer("lists", torch.tensor(lists), persistent=False)  # [blocks - 2, 8]

    def forward(self, q, k, v):
        inner = q[:, :, 64:-64].unflatten(2, (-1, 64))
        ks, vs = (x.unflatten(2, (-1, 64))[:, :, self.lists].flatten(3, 4) for x in (k, v))  # [B, H, *, 512, D]
        ends = attend(torch.cat([q[:, :, :64], q[:, :, -64:]], 2), k, v)
        return torch.cat([ends[:, :, :64], attend(inner, ks, vs).flatten(2, 3), ends[:, :, 64:]], 2)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.ff1, self.ff2 = nn.Linear(WIDTH, FF), nn.Linear(FF, WIDTH)
        kinds = [Softmax, Linear, Cosformer, Performer, Linformer, Nystromformer, Local, BigBird]
        self.attention = dict(zip(ATTENTIONS, kinds))[ARGS.attention]()

    def forward(self, x, real=None):
        b, n, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = self.attention(q, k, v) if real is None else self.attention(q, k, v, real)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, n, WIDTH).to(x.dtype))
        return x + self.ff2(F.gelu(self.ff1(self.norm2(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(0.02 * torch.randn(ARGS.n, WIDTH))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Sequential(nn.Linear(WIDTH, FF), nn.ReLU(), nn.Linear(FF, CLASSES))

    def forward(self, tokens, lengths=None):
        n = tokens.shape[1]
        real = None if lengths is None else (torch.arange(n) < lengths[:, None])[:, None, :, None]
        x = self.tokens(tokens) + self.positions[:n]
        for layer in self.layers:
            x = layer(x, real)
        x = self.norm(x)
        return self.head(x.mean(1) if real is None else (x * real[:, 0]).sum(1) / lengths[:, None])


def pieces(batch):
    """Tokens, lengths (None: all have n) and labels of the sequences at a time."""
    tokens = torch.randint(0, VOCABULARY, (batch, ARGS.n))
    labels = torch.randint(0, CLASSES, (batch,))
    at_once = ARGS.at_once or batch
    if not ARGS.lengths:
        return [(x, None, y) for x, y in zip(tokens.split(at_once), labels.split(at_once))]
    with open(ARGS.lengths) as file:
        numbers = list(map(int, file.read().split()))
    lengths = torch.tensor([numbers[i % len(numbers)] for i in range(batch)]).sort().values
    assert lengths.max() <= ARGS.n
    return [(x[:, :int(most.max())].contiguous(), most, y)
            for x, most, y in zip(tokens.split(at_once), lengths.split(at_once), labels.split(at_once))]


def onnx_session(model, tokens):
    """The model compiled by ONNX Runtime for tokens of this shape: a function of tokens."""
    import onnxruntime
    file = io.BytesIO()
    torch.onnx.export(model, (tokens,), file, dynamo=False, opset_version=17, input_names=["tokens"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = ARGS.threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Debian's DnnlExecutionProvider ends with a segmentation fault on these models (1.23).
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(None, {"tokens": tokens.numpy()})[0])
    assert torch.allclose(found, model(tokens), rtol=1e-3, atol=1e-4), "ONNX Runtime computes something else"
    return onnxruntime.__version__, lambda x: session.run(None, {"tokens": x.numpy()})


def main():
    torch.manual_seed(0)
    torch.set_num_threads(ARGS.threads)
    torch.set_flush_denormal(True)
    model = Encoder().train(ARGS.mode == "train")
    run = torch.compile(model) if ARGS.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    batch = pieces(ARGS.batch)
    tokens = sum(x.numel() if lengths is None else int(lengths.sum()) for x, lengths, _ in batch)
    version = torch.__version__
    if ARGS.runtime == "onnxruntime":
        with torch.inference_mode():
            version, run = onnx_session(model, batch[0][0])

    def cast():
        if ARGS.precision == "f32":
            return contextlib.nullcontext()
        return torch.autocast("cpu", dtype=torch.bfloat16)

    def train():
        optimizer.zero_grad(set_to_none=True)
        for x, lengths, y in batch:
            with cast():
                loss = F.cross_entropy(run(x, lengths).float(), y, reduction="sum") / ARGS.batch
            loss.backward()
        optimizer.step()

    def infer():
        with torch.inference_mode(), cast():
            for x, lengths, _ in batch:
                run(x) if lengths is None else run(x, lengths)

    step = train if ARGS.mode == "train" else infer
    step(), step()
    times = []
    while sum(times) < ARGS.seconds or len(times) < 3:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    print(json.dumps({
        ARGS.runtime: version, "tokens_per_second": tokens / statistics.median(times),
        "steps": len(times), "parameters": sum(p.numel() for p in model.parameters()),
        "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
