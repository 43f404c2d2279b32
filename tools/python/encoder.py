"""The encoder of lra in plain PyTorch: reads and writes the weights of runs.

One file without lra in it, to copy and change; needs torch and numpy. Attention is written from its
formula with all N x N weights, for reading rather than for speed.

>>> model = load("runs/x")                      # a run's folder: spec.json and model.safetensors
>>> model(torch.tensor([[3, 5, 2, 0, 0]]))      # logits [B, K]; ids 0 behind the tokens are padding
>>> save(model, "runs/x/model.safetensors")     # back into the run's folder: lra evaluate runs/x
>>> save(Encoder({"width": 32}), "start.safetensors")   # for lra train --init start.safetensors

Attention: softmax, linear_transformer, cosformer. Names and layouts of the weights: models/README.md.
Letters: B sequences, N rows (a CLS token included), E width, H heads, D width of a head, K classes.
"""

import hashlib
import json
import math
import os
import struct
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn import functional as F

# The settings of `--set model.KEY=`, in the form of a run's spec.json, with their defaults.
MODEL = {
    "layers": 2, "width": 64, "heads": 2, "qkv_width": 64, "ff_width": 128, "norm": "pre",
    "final_norm": True, "norm_eps": 1e-5, "activation": "gelu_erf", "attention_bias": True,
    "positions": "learned", "attention_gate": "none", "pooling": "mean", "padded_length": 0,
    "head_layers": 1, "classifier": "own", "pair_features": "nli", "input": "tokens", "pixel_mean": 0.5, "pixel_std": 0.5,
    "dropout": 0.0, "attention_dropout": 0.0, "embedding_dropout": -1.0, "embedding_std": 0.02, "vocabulary": 0,
    "feed_forward": True,
}
# Members of a spec's "model" that do not affect this computation.
ELSEWHERE = ("rotary_base", "rotary_pairs", "init")
# Properties of the task that a model needs, from the metadata of model.safetensors.
TASK = {"head": "pooled_class", "classes": 2, "vocabulary": 2, "max_length": 1024,
        "zero_is_padding": False, "pixel_offset": 1}
# Options of the attentions, with their defaults.
ATTENTION = {
    "softmax": {"form": "tiled", "logit_scale": "sqrt_d", "n0": 512.0, "causal": False},
    "linear_transformer": {"eps": 1e-6, "normalize": True, "causal": False},
    "cosformer": {"act": "relu", "reweight": True, "m": "length", "eps": 1e-6, "causal": False},
}


# --- safetensors: 8 bytes of the header's length, the header in JSON, the data --------------------

def read_safetensors(path):
    """(tensors by name as numpy arrays, metadata). Raises ValueError for a file that is cut or has
    other types than F32."""
    content = Path(path).read_bytes()
    size = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if len(content) < 8 + size or size == 0:
        raise ValueError(f"{path}: not a safetensors file, or truncated")
    header = json.loads(content[8:8 + size])
    metadata = header.pop("__metadata__", {})
    data = content[8 + size:]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] != "F32" or end > len(data):
            raise ValueError(f"{path}: {name}: {entry['dtype']} to byte {end} of {len(data)}, expected F32")
        tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy()
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    """Writes float32 arrays, with the digest that the program checks; atomically."""
    header, chunks, offset = {}, [], 0
    metadata = {key: value for key, value in metadata.items() if key != "sha256"}
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        chunk = numpy.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    data = b"".join(chunks)

    def text():
        return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    digest = hashlib.sha256(text() + b"\n" + data).hexdigest()
    header["__metadata__"] = {**metadata, "sha256": digest}
    head = text()
    head += b" " * (-len(head) % 8)
    partial = Path(f"{path}.{os.getpid()}.partial")
    partial.write_bytes(struct.pack("<Q", len(head)) + head + data)
    partial.replace(path)


# --- attention: q, k, v [B, H, N, D], mask [B, N] True for tokens -> [B, H, N, D] -----------------

def allowed(mask, causal):
    """Which keys each query sees: [B, 1, N or 1, N]."""
    n = mask.shape[1]
    seen = mask[:, None, None, :]
    return seen & torch.ones(n, n, dtype=torch.bool, device=mask.device).tril() if causal else seen


class Softmax(nn.Module):
    """softmax(c q k^T) v (Vaswani et al. 2017, eq. 1); `logit_scale` is the law of c."""

    def __init__(self, config, options):
        super().__init__()
        self.options, self.dropout = options, config["attention_dropout"]
        if options["logit_scale"] == "ssmax":
            self.s = nn.Parameter(torch.full((config["heads"],), 0.43))

    def forward(self, q, k, v, mask, rows):
        law, causal = self.options["logit_scale"], self.options["causal"]
        seen = allowed(mask, causal)
        if law != "none":
            q = q / math.sqrt(q.shape[-1])
        if law in ("log_n", "ssmax"):
            keys = torch.log(seen.expand(-1, -1, q.shape[2], -1).sum(-1, keepdim=True).clamp(min=1).to(q.dtype))
            q = q * (keys / math.log(self.options["n0"]) if law == "log_n" else keys * self.s[:, None, None])
        weights = (q @ k.transpose(-1, -2)).masked_fill(~seen, -math.inf).softmax(-1)
        return F.dropout(weights, self.dropout, self.training) @ v


class Linear(nn.Module):
    """phi(q) phi(k)^T v over the sum of the weights, phi = elu + 1 (Katharopoulos et al. 2020, eq. 5)."""

    def __init__(self, config, options):
        super().__init__()
        self.options = options

    def forward(self, q, k, v, mask, rows):
        weights = (F.elu(q) + 1) @ (F.elu(k) + 1).transpose(-1, -2)
        weights = weights * allowed(mask, self.options["causal"])
        if self.options["normalize"]:
            return weights @ v / (weights.sum(-1, keepdim=True) + self.options["eps"])
        return weights @ v / rows.to(v.dtype).sqrt()[:, None, None, None]


class Cosformer(nn.Module):
    """phi(q_i) phi(k_j)^T cos(pi/2 (i - j) / M), over the sum (Qin et al. 2022, eq. 10-12)."""

    PHI = {"relu": F.relu, "elu+1": lambda x: F.elu(x) + 1, "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
           "identity": lambda x: x, "exp": torch.exp, "square": torch.square}

    def __init__(self, config, options):
        super().__init__()
        self.options, self.longest = options, config["longest"]

    def forward(self, q, k, v, mask, rows):
        o = self.options
        phi = self.PHI[o["act"]]
        weights = phi(q) @ phi(k).transpose(-1, -2) * allowed(mask, o["causal"])
        if o["reweight"]:
            m = {"length": mask.sum(1), "tensor": rows, "maximum": torch.full_like(rows, self.longest)}[o["m"]]
            i = torch.arange(q.shape[2], device=q.device)
            distance = (i[:, None] - i).to(q.dtype)
            weights = weights * torch.cos(math.pi / 2 * distance / m.to(q.dtype)[:, None, None, None])
        total = weights.sum(-1, keepdim=True)
        floor = total.clamp(min=o["eps"])
        if o["act"] in ("leaky_relu", "identity"):  # sign(x) max(|x|, eps)
            floor = torch.where(total >= 0, floor, total.clamp(max=-o["eps"]))
        return weights @ v / floor


VARIANTS = {"softmax": Softmax, "linear_transformer": Linear, "cosformer": Cosformer}


# --- the encoder ----------------------------------------------------------------------------------

class Attention(nn.Module):
    """Projections, a variant, the output projection: [B, N, E] -> [B, N, E]."""

    def __init__(self, config, name, options):
        super().__init__()
        bias, inner = config["attention_bias"], config["qkv_width"]
        self.heads = config["heads"]
        self.qkv = nn.Linear(config["width"], 3 * inner, bias)
        self.out = nn.Linear(inner, config["width"], bias)
        gates = {"none": 0, "head": self.heads, "element": inner}[config["attention_gate"]]
        self.gate = nn.Linear(config["width"], gates, bias) if gates else None
        self.variant = VARIANTS[name](config, options)

    def forward(self, x, mask, rows):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        o = self.variant(q, k, v, mask, rows)                                     # [B, H, N, D]
        if self.gate is not None:
            o = o * self.gate(x).unflatten(-1, (self.heads, -1)).transpose(1, 2).sigmoid()
        o = o.masked_fill(~mask[:, None, :, None], 0)                             # rows of padding are 0
        return self.out(o.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """pre: x + A(LN(x)), then + F(LN(.)); post: LN(x + A(x)), then LN(. + F(.))."""

    def __init__(self, config, name, options):
        super().__init__()
        width, eps = config["width"], config["norm_eps"]
        self.pre, self.activation = config["norm"] == "pre", config["activation"]
        self.dropout = config["dropout"]
        self.norm1 = nn.LayerNorm(width, eps)
        self.attention = Attention(config, name, options)
        self.has_ff = config["feed_forward"]
        if self.has_ff:
            self.norm2 = nn.LayerNorm(width, eps)
            self.ff1 = nn.Linear(width, config["ff_width"])
            self.ff2 = nn.Linear(config["ff_width"], width)

    def feed_forward(self, x):
        activation = {"relu": F.relu, "gelu_erf": F.gelu,
                      "gelu_tanh": lambda y: F.gelu(y, approximate="tanh")}[self.activation]
        return self.ff2(F.dropout(activation(self.ff1(x)), self.dropout, self.training))

    def forward(self, x, mask, rows):
        def drop(y):
            return F.dropout(y, self.dropout, self.training)
        if self.pre:
            x = x + drop(self.attention(self.norm1(x), mask, rows))
            return x + drop(self.feed_forward(self.norm2(x))) if self.has_ff else x
        x = self.norm1(x + drop(self.attention(x, mask, rows)))
        return self.norm2(x + drop(self.feed_forward(x))) if self.has_ff else x


def sinusoids(length, width):
    """[length, width]: sin on even, cos on odd features, base 10,000."""
    rate = 10000.0 ** (-(torch.arange(width) // 2 * 2).double() / width)
    angle = torch.arange(length).double()[:, None] * rate
    return torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos()).float()


def sinusoids_2d(pixels, width):
    """[pixels, width] of a square image: half of the features for the row, half for the column."""
    side, half = math.isqrt(pixels), width // 2
    row, column = sinusoids(side, half), sinusoids(side, width - half)
    return torch.cat([row.repeat_interleave(side, 0), column.repeat(side, 1)], 1)


def bucket(length):
    """Rows that the program computes for a sequence: models/model.h, bucket_length."""
    octave = 1 << (max(length - 1, 1).bit_length() - 1)
    step = max(16, octave // 16)
    return -(-length // step) * step


def merged(where, defaults, given):
    """The defaults with what is given. Raises ValueError for a name that is not among them: what it
    does is not written here."""
    for key in given or {}:
        if key not in defaults:
            raise ValueError(f"{where}: option {key} is not in this encoder")
    return {**defaults, **(given or {})}


class Encoder(nn.Module):
    """From token ids to logits.

    config: entries of MODEL that differ from the defaults, e.g. a spec's "model". task: of TASK.
    attention: a name in ATTENTION; options: of it, where they differ from the defaults.
    Raises ValueError for what is not written here (other attentions, rotary positions).
    """

    def __init__(self, config=None, task=None, attention="softmax", options=None):
        super().__init__()
        if attention not in ATTENTION:
            raise ValueError(f"attention {attention}; expected one of {', '.join(ATTENTION)}")
        self.config = merged("model", MODEL, {key: value for key, value in (config or {}).items()
                                              if key not in ELSEWHERE})
        self.task = merged("task", TASK, task)
        chosen = merged(attention, ATTENTION[attention], options)
        if self.config["positions"] not in ("learned", "sinusoidal", "sinusoidal_2d", "none"):
            raise ValueError(f"positions {self.config['positions']} are not in this encoder")
        c, t = self.config, self.task
        width = c["width"]
        self.cls = c["pooling"] == "cls"
        longest = t["max_length"] + self.cls
        self.embedding = nn.Module()
        if c["input"] == "pixels":
            self.embedding.pixel = nn.Linear(1, width)
        else:
            table = torch.randn(max(c["vocabulary"], t["vocabulary"]), width) * c["embedding_std"]
            self.embedding.tokens = nn.Parameter(table)
        if c["positions"] == "learned":
            self.embedding.positions = nn.Parameter(0.02 * torch.randn(longest, width))
        elif c["positions"] == "sinusoidal":
            self.register_buffer("table", sinusoids(longest, width), persistent=False)
        elif c["positions"] == "sinusoidal_2d":
            table = sinusoids_2d(t["max_length"], width)
            front = torch.zeros(int(self.cls), width)
            self.register_buffer("table", torch.cat([front, table]), persistent=False)
        if self.cls:
            self.embedding.cls = nn.Parameter(torch.zeros(1, width))
        made = {**c, "longest": longest}
        self.layers = nn.ModuleList(Layer(made, attention, chosen) for _ in range(c["layers"]))
        self.final_norm = nn.LayerNorm(width, c["norm_eps"]) if c["final_norm"] and c["norm"] == "pre" else None
        self.head = nn.Module()
        inner = width
        self.hidden = 0 if t["head"] == "token" else c["head_layers"]
        if t["head"] == "pair_class":
            inner *= 4 if c["pair_features"] == "nli" else 2
        for i in range(self.hidden):
            setattr(self.head, f"hidden{i}", nn.Linear(inner, max(1, c["ff_width"] >> i)))
            inner = max(1, c["ff_width"] >> i)
        if c["classifier"] == "own":
            self.head.out = nn.Linear(inner, t["classes"])
        elif t["head"] != "token":
            raise ValueError("classifier tied needs a label for each token")
        self.metadata = {}  # of the file that the weights are from

    def forward(self, tokens, second=None, lengths=None, second_lengths=None):
        """tokens [B, N] ids, padding behind the first `lengths` [B] of a row; without lengths, ids 0
        behind the last token are padding. second: of pair tasks.

        Returns [B, K]; of tasks with a label at each token [B, N, K], N the longest of the batch."""
        x, mask = self.encode(tokens, lengths)
        if self.task["head"] == "token":
            x = x[:, int(self.cls):]
            if self.config["classifier"] == "tied":
                return x @ self.embedding.tokens[:self.task["classes"]].T
            return self.head.out(x)
        features = self.pool(x, mask)
        if self.task["head"] == "pair_class":
            if second is None:
                raise ValueError("a pair task; expected second sequences")
            other = self.pool(*self.encode(second, second_lengths))
            parts = [features, other]
            if self.config["pair_features"] == "nli":
                parts += [features * other, features - other]
            features = torch.cat(parts, 1)
        for i in range(self.hidden):
            features = F.relu(getattr(self.head, f"hidden{i}")(features))
        return self.head.out(features)

    def encode(self, tokens, lengths=None):
        """[B, N, E] after the final norm, and the mask [B, N] of real rows."""
        ids, places, mask, rows = self.arrange(torch.as_tensor(tokens), lengths)
        c = self.config
        if c["input"] == "pixels":
            grey = (ids - self.task["pixel_offset"]).clamp(min=0)[..., None] / 255
            weight = self.embedding.pixel.weight
            x = self.embedding.pixel(((grey - c["pixel_mean"]) / c["pixel_std"]).to(weight.dtype))
        else:
            x = self.embedding.tokens[ids]
        if self.cls:
            x = torch.cat([self.embedding.cls.expand(len(x), 1, -1), x], 1)
            places = torch.cat([torch.zeros_like(places[:, :1]), places + 1], 1)
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        if c["positions"] == "learned":
            x = x + self.embedding.positions[places]
        elif c["positions"] != "none":
            x = x + self.table[places]
        rate = c["embedding_dropout"] if c["embedding_dropout"] >= 0 else c["dropout"]
        x = F.dropout(x, rate, self.training)
        for layer in self.layers:
            x = layer(x, mask, rows)
        return (x if self.final_norm is None else self.final_norm(x)), mask

    def arrange(self, tokens, lengths):
        """ids, their places in the sequence and which are real, [B, N] each, and the rows that the
        program would compute [B]."""
        tokens = tokens.long()
        if tokens.dim() != 2:
            raise ValueError(f"tokens {list(tokens.shape)}, expected [B, N]")
        places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        if lengths is None:
            lengths = ((tokens != 0) * (places + 1)).amax(1).clamp(min=1)
        lengths = torch.as_tensor(lengths, device=tokens.device)
        longest, total = int(lengths.max()), self.task["max_length"]
        if longest > total:
            raise ValueError(f"tokens: {longest} in a sequence, expected at most {total}")
        tokens, places = tokens[:, :longest], places[:, :longest]
        mask = places < lengths[:, None]
        tokens = tokens * mask
        if self.task["zero_is_padding"]:
            # Ids 0 inside go behind the others, which keep their places; one token always stays.
            kept = mask & (tokens != 0)
            kept[:, 0] |= ~kept.any(1)
            order = torch.argsort((~kept).int(), dim=1, stable=True)
            tokens, places, mask = (a.gather(1, order) for a in (tokens, places, kept))
        if self.config["pooling"] in ("mean_all", "max_all"):
            more = total - tokens.shape[1]
            rest = torch.arange(tokens.shape[1], total, device=tokens.device).expand(len(tokens), -1)
            tokens, mask = F.pad(tokens, (0, more)), F.pad(mask, (0, more))
            places = torch.cat([places, rest], 1)
            return tokens, places, mask, torch.full_like(tokens[:, 0], total)
        longest = int(mask.sum(1).max())
        rows = [bucket(int(n) + self.cls) for n in mask.sum(1)]
        return (tokens[:, :longest], places[:, :longest], mask[:, :longest],
                torch.tensor(rows, device=tokens.device))

    def pool(self, x, mask):
        """[B, N, E] -> [B, E]."""
        kind = self.config["pooling"]
        real = mask[:, :, None]
        if kind in ("cls", "first"):
            return x[:, 0]
        if kind == "last":
            return x[torch.arange(len(x)), mask.sum(1) - 1]
        if kind == "max":
            return x.masked_fill(~real, -math.inf).amax(1)
        if kind == "max_all":
            return x.amax(1)
        if kind == "mean_all":
            return x.mean(1)
        total = (x * real).sum(1)
        if kind == "mean":
            return total / real.sum(1)
        if kind == "mean_zeroed":
            return total / (self.config["padded_length"] or self.task["max_length"])
        return total  # sum


# --- weights --------------------------------------------------------------------------------------

def names(model):
    """(name in model.safetensors, parameter, whether the file has its transpose) of each parameter."""
    maps = {f"{path}.weight" for path, part in model.named_modules() if isinstance(part, nn.Linear)}
    for name, parameter in model.named_parameters():
        yield name.replace(".attention.variant.", ".attention."), parameter, name in maps


def load_weights(model, path):
    """Fills the model. Raises ValueError for a tensor that is missing, left over or of another shape."""
    tensors, model.metadata = read_safetensors(path)
    for name, parameter, transposed in names(model):
        array = tensors.pop(name, None)
        shape = tuple(parameter.T.shape if transposed else parameter.shape)
        if array is None or array.shape != shape:
            raise ValueError(f"{path}: {name}: got {None if array is None else array.shape}, expected {shape}")
        values = torch.from_numpy(array.T.copy() if transposed else array)
        with torch.no_grad():
            parameter.copy_(values)
    if tensors:
        raise ValueError(f"{path}: no place for {', '.join(tensors)}")
    return model


def load(folder, task=None):
    """The model of a run's folder, in evaluation mode. task: of TASK, for files of earlier versions,
    which do not state it."""
    folder = Path(folder)
    spec = json.loads((folder / "spec.json").read_text())
    file = folder / "model.safetensors"
    stated = json.loads(read_safetensors(file)[1].get("task", "null"))
    if stated is None and task is None:
        raise ValueError(f"{file}: states no task; give load(folder, task={{...}})")
    model = Encoder(spec["model"], {**(stated or {}), **(task or {})}, spec["attention"],
                    spec["attention_options"])
    return load_weights(model, file).eval()


def save(model, path):
    """Writes the weights under the program's names. Those of a run that was loaded keep its metadata,
    so that the file can take the place of the run's own for `lra evaluate`."""
    tensors = {}
    for name, parameter, transposed in names(model):
        values = parameter.detach().float().cpu()
        tensors[name] = (values.T if transposed else values).contiguous().numpy()
    metadata = {"format": "pt", "lra": "lra-model/1", "task": json.dumps(model.task), **model.metadata}
    write_safetensors(path, tensors, metadata)
