#include "engine/fused/scan/delta_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/profile.h"
#include "engine/fused/scan/delta_chunk.h"
#include "engine/fused/scan/scan_rows.h"

namespace lra::engine {
namespace {

using delta::Block;
using delta::Chunk;
using delta::Gradients;
using delta::kKept;
using delta::Operands;
using delta::Scratch;

// o of all heads; `kept`, if defined, gets the states [H, kept, size].
void scan_forward(const Operands& in, const Tensor& o, const Tensor& kept) {
  const profile::Scope scope("scan");
  const std::int64_t P = padded_columns(in.q.dim(2));
  const std::int64_t Pv = padded_columns(in.v.dim(2));
  Chunk chunk(in, P, Pv);
  const Scratch scratch(P, Pv);
  const Block S(P, Pv);
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    std::fill_n(S.data(), S.size(), 0.0F);
    for (std::int64_t c = 0; c < in.chunks(); ++c) {
      if (kept.defined() && c % kKept == 0) {
        std::copy_n(S.data(), S.size(), kept.f32() + (h * in.kept() + c / kKept) * S.size());
      }
      chunk.load(h, c);
      chunk.solve(S, scratch);
      chunk.write_outputs(o, scratch);
      chunk.advance(S);
    }
  }
}

void scan_backward(const Operands& in, const Tensor& kept, const Tensor& dy, const Gradients& to) {
  const profile::Scope scope("scan");
  const std::int64_t P = padded_columns(in.q.dim(2));
  const std::int64_t Pv = padded_columns(in.v.dim(2));
  std::vector<Chunk> chunks;
  chunks.reserve(static_cast<std::size_t>(kKept));
  for (std::int64_t c = 0; c < kKept; ++c) chunks.emplace_back(in, P, Pv);
  const Scratch scratch(P, Pv);
  const Block S(P, Pv);
  std::vector<double> gates(static_cast<std::size_t>(P));
  for (std::int64_t h = 0; h < dy.dim(0); ++h) {
    std::fill_n(scratch.dS.data(), scratch.dS.size(), 0.0F);
    std::fill(gates.begin(), gates.end(), 0.0);
    for (std::int64_t b = in.kept() - 1; b >= 0; --b) {
      const std::int64_t first = b * kKept;
      const std::int64_t count = std::min(kKept, in.chunks() - first);
      std::copy_n(kept.f32() + (h * in.kept() + b) * S.size(), S.size(), S.data());
      for (std::int64_t c = 0; c < count; ++c) {
        Chunk& chunk = chunks[static_cast<std::size_t>(c)];
        chunk.load(h, first + c);
        chunk.solve(S, scratch);
        if (c + 1 < count) chunk.advance(S);
      }
      for (std::int64_t c = count - 1; c >= 0; --c) {
        chunks[static_cast<std::size_t>(c)].backward(dy, to, gates, scratch);
      }
    }
  }
}

// A tensor like x with zeros in the rows from n on; the other rows are uninitialised.
Tensor with_zeros_behind(const Tensor& x, std::int64_t n) {
  Tensor y(x.shape(), x.dtype());
  kernels::zero_rows(y, n);
  return y;
}

Value scan(const Operands& in, const std::vector<const Value*>& inputs) {
  if (in.n == 0) return Value(Tensor::zeros(in.v.shape(), in.v.dtype()));
  Tensor o = with_zeros_behind(in.v, in.n);
  const bool recorded = std::any_of(inputs.begin(), inputs.end(),
                                    [](const Value* x) { return x->gradient() != nullptr; });
  Tensor kept;
  if (recorded) kept = Tensor({o.dim(0), in.kept(), in.state_size()}, DType::f32);
  scan_forward(in, o, kept);
  std::vector<Gradient> gradients;
  for (const Value* x : inputs) gradients.push_back(x->gradient());
  // q, k, v, g, then beta or read and erase.
  const Value none;
  const Value& last = inputs.size() > 5 ? *inputs[5] : none;
  return Tape::record(std::move(o), {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &last},
                      [in, kept, gradients](const Tensor& dy) {
                        const auto place = [&](std::size_t i, const Tensor& x) {
                          return gradients[i] ? with_zeros_behind(x, in.n) : Tensor();
                        };
                        const bool two = in.two_keys();
                        Gradients to{place(0, in.q),
                                     place(1, in.k),
                                     place(2, in.v),
                                     place(3, in.g),
                                     two ? Tensor() : place(4, in.beta),
                                     two ? place(4, in.read) : Tensor(),
                                     two ? place(5, in.erase) : Tensor()};
                        scan_backward(in, kept, dy, to);
                        const auto give = [&](std::size_t i, Tensor& gradient) {
                          if (gradient.defined()) gradients[i]->add(std::move(gradient));
                        };
                        give(0, to.q);
                        give(1, to.k);
                        give(2, to.v);
                        give(3, to.g);
                        give(4, two ? to.read : to.beta);
                        if (two) give(5, to.erase);
                      });
}

bool fits(const Value& q, const Value& k, const Value& v, const Value& g, std::int64_t n) {
  const Shape one{q.dim(0), q.dim(1), 1};
  return q.rank() == 3 && k.shape() == q.shape() && k.dtype() == q.dtype() && v.rank() == 3 &&
         v.dim(0) == q.dim(0) && v.dim(1) == q.dim(1) && n <= q.dim(1) &&
         (!g.defined() ||
          (g.dtype() == DType::f32 && (g.shape() == q.shape() || g.shape() == one)));
}

std::string shape_of(const Value& x) {
  return x.defined() ? fmt::format("{} {}", x.shape().text(), dtype_name(x.dtype())) : "none";
}

}  // namespace

Value delta_scan(const Value& q, const Value& k, const Value& v, const Value& g, const Value& beta,
                 std::int64_t n, bool reverse) {
  if (q.rank() != 3 || !fits(q, k, v, g, n) || beta.dtype() != DType::f32 ||
      beta.shape() != Shape{q.dim(0), q.dim(1), 1}) {
    fail(ErrorKind::shape,
         "delta_scan: got q {}, k {}, v {}, g {}, beta {}, {} rows; expected q, k [H, N, D], v [H, "
         "N, Dv], g [H, N, D or 1] and beta [H, N, 1] in f32, rows up to N",
         shape_of(q), shape_of(k), shape_of(v), shape_of(g), shape_of(beta), n);
  }
  Operands in;
  in.q = q.tensor();
  in.k = k.tensor();
  in.v = v.tensor();
  in.g = g.tensor();
  in.beta = beta.tensor();
  in.n = n;
  in.reverse = reverse;
  return scan(in, {&q, &k, &v, &g, &beta});
}

Value generalised_delta_scan(const Value& q, const Value& k, const Value& v, const Value& g,
                             const Value& read, const Value& erase, std::int64_t n, bool reverse) {
  if (q.rank() != 3 || !fits(q, k, v, g, n) || read.shape() != q.shape() ||
      erase.shape() != q.shape() || read.dtype() != q.dtype() || erase.dtype() != q.dtype()) {
    fail(ErrorKind::shape,
         "generalised_delta_scan: got q {}, k {}, v {}, g {}, read {}, erase {}, {} rows; expected "
         "q, k, read, erase [H, N, D], v [H, N, Dv], g [H, N, D or 1] in f32, rows up to N",
         shape_of(q), shape_of(k), shape_of(v), shape_of(g), shape_of(read), shape_of(erase), n);
  }
  Operands in;
  in.q = q.tensor();
  in.k = k.tensor();
  in.v = v.tensor();
  in.g = g.tensor();
  in.read = read.tensor();
  in.erase = erase.tensor();
  in.n = n;
  in.reverse = reverse;
  return scan(in, {&q, &k, &v, &g, &read, &erase});
}

}  // namespace lra::engine
