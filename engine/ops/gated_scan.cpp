#include "engine/ops/gated_scan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/ops/fast_math.h"
#include "engine/profile.h"
#include "engine/simd.h"

namespace lra::engine {
namespace {

constexpr std::int64_t kChunk = 64;

// The tensors of one head, [N, C] each, as they are in memory.
struct Matrix {
  const Tensor* tensor = nullptr;
  std::int64_t head = 0;

  [[nodiscard]] std::int64_t columns() const { return tensor->dim(2); }
  [[nodiscard]] std::int64_t offset(std::int64_t row) const {
    return (head * tensor->dim(1) + row) * columns();
  }
  // Rows begin..begin+count-1 in f32.
  void read(std::int64_t begin, std::int64_t count, std::vector<float>& to) const {
    const std::int64_t size = count * columns();
    to.resize(static_cast<std::size_t>(size));
    if (tensor->dtype() == DType::bf16) {
      const BFloat16* from = tensor->bf16() + offset(begin);
      std::transform(from, from + size, to.begin(), [](BFloat16 x) { return to_float(x); });
    } else {
      std::copy_n(tensor->f32() + offset(begin), size, to.begin());
    }
  }
  void write(std::int64_t begin, const std::vector<float>& from) const {
    if (tensor->dtype() == DType::bf16) {
      std::transform(from.begin(), from.end(), tensor->bf16() + offset(begin), to_bfloat16);
    } else {
      std::copy(from.begin(), from.end(), tensor->f32() + offset(begin));
    }
  }
};

LRA_SIMD void exponentials(float* g, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) g[i] = fast::exp(g[i]);
}

struct Row {
  const float *q, *k, *v, *a;
};

// One step of the state S [D, Dv] that leaves diag(a) S in `decayed` if asked for; o += S^T q, with
// k v^T in it or not. Fixed > 0 is Dv, known to the compiler.
template <std::int64_t Fixed>
inline void forward_step(float* __restrict S, const Row& r, std::int64_t D, std::int64_t width,
                         bool inclusive, float* __restrict o, float* __restrict decayed) {
  const std::int64_t Dv = Fixed > 0 ? Fixed : width;
  const float* __restrict v = r.v;
  for (std::int64_t d = 0; d < D; ++d) {
    float* s = S + d * Dv;
    const float a = r.a[d];
    const float k = r.k[d];
    const float q = r.q[d];
    const float own = inclusive ? k : 0.0F;
    if (decayed != nullptr) {
      for (std::int64_t c = 0; c < Dv; ++c) decayed[d * Dv + c] = a * s[c];
    }
    for (std::int64_t c = 0; c < Dv; ++c) {
      const float kept = a * s[c];
      o[c] += q * (kept + own * v[c]);
      s[c] = kept + k * v[c];
    }
  }
}
LRA_SIMD void forward_steps(float* S, Row r, std::int64_t D, std::int64_t Dv, bool inclusive,
                            float* o, float* decayed) {
  if (Dv == 32) return forward_step<32>(S, r, D, Dv, inclusive, o, decayed);
  if (Dv == 64) return forward_step<64>(S, r, D, Dv, inclusive, o, decayed);
  forward_step<0>(S, r, D, Dv, inclusive, o, decayed);
}

struct RowGradient {
  float *dq, *dk, *dv, *dg;
};

// One step back: G is the gradient of the state that later steps see, `decayed` is diag(a) S before
// the step's own k v^T.
template <std::int64_t Fixed>
inline void backward_step(float* __restrict G, const float* __restrict decayed, const Row& r,
                          const float* __restrict dout, std::int64_t D, std::int64_t width,
                          bool inclusive, const RowGradient& to) {
  const std::int64_t Dv = Fixed > 0 ? Fixed : width;
  const float* __restrict v = r.v;
  float* __restrict dv = to.dv;
  float same = 0;
#pragma omp simd reduction(+ : same)
  for (std::int64_t c = 0; c < Dv; ++c) same += v[c] * dout[c];
  for (std::int64_t d = 0; d < D; ++d) {
    float* g = G + d * Dv;
    const float* s = decayed + d * Dv;
    const float a = r.a[d];
    const float k = r.k[d];
    const float q = r.q[d];
    const float own = inclusive ? q : 0.0F;
    float dq = 0;
    float dk = 0;
    float dg = 0;
#pragma omp simd reduction(+ : dq, dk, dg)
    for (std::int64_t c = 0; c < Dv; ++c) {
      const float seen = g[c] + own * dout[c];
      const float full = g[c] + q * dout[c];
      dq += s[c] * dout[c];
      dk += seen * v[c];
      dg += full * s[c];
      dv[c] += k * seen;
      g[c] = a * full;
    }
    to.dq[d] = inclusive ? dq + k * same : dq;
    to.dk[d] = dk;
    to.dg[d] = dg;
  }
}
LRA_SIMD void backward_steps(float* G, const float* decayed, Row r, const float* dout,
                             std::int64_t D, std::int64_t Dv, bool inclusive, RowGradient to) {
  if (Dv == 32) return backward_step<32>(G, decayed, r, dout, D, Dv, inclusive, to);
  if (Dv == 64) return backward_step<64>(G, decayed, r, dout, D, Dv, inclusive, to);
  backward_step<0>(G, decayed, r, dout, D, Dv, inclusive, to);
}

// One head in one direction.
class Scan {
 public:
  Scan(Matrix q, Matrix k, Matrix v, Matrix g, std::int64_t n, bool reverse)
      : q_(q), k_(k), v_(v), g_(g), n_(n), reverse_(reverse), D_(q.columns()), Dv_(v.columns()) {}

  void forward(const Matrix& o) {
    std::vector<float> S(state_size(), 0.0F);
    for (std::int64_t chunk = 0; chunk < chunks(); ++chunk) {
      load(chunk);
      std::vector<float> out(static_cast<std::size_t>(count_ * Dv_), 0.0F);
      run(S, out, nullptr);
      o.write(begin_, out);
    }
  }

  void backward(const Matrix& dout, const Matrix& dq, const Matrix& dk, const Matrix& dv,
                const Matrix& dg) {
    const std::vector<std::vector<float>> starts = states();
    std::vector<float> G(state_size(), 0.0F);
    std::vector<float> decayed(state_size() * kChunk);
    std::vector<float> d;
    std::vector<float> unused;
    for (std::int64_t chunk = chunks() - 1; chunk >= 0; --chunk) {
      load(chunk);
      dout.read(begin_, count_, d);
      std::vector<float> S = starts[static_cast<std::size_t>(chunk)];
      unused.assign(static_cast<std::size_t>(count_ * Dv_), 0.0F);
      run(S, unused, decayed.data());
      const auto features = static_cast<std::size_t>(count_ * D_);
      std::vector<float> to_q(features);
      std::vector<float> to_k(features);
      std::vector<float> to_g(features);
      std::vector<float> to_v(static_cast<std::size_t>(count_ * Dv_), 0.0F);
      for (std::int64_t i = count_ - 1; i >= 0; --i) {
        const std::int64_t t = row(i);
        backward_steps(G.data(), decayed.data() + i * D_ * Dv_, at(t), d.data() + t * Dv_, D_, Dv_,
                       !reverse_,
                       {to_q.data() + t * D_, to_k.data() + t * D_, to_v.data() + t * Dv_,
                        to_g.data() + t * D_});
      }
      dq.write(begin_, to_q);
      dk.write(begin_, to_k);
      dv.write(begin_, to_v);
      dg.write(begin_, to_g);
    }
  }

 private:
  [[nodiscard]] std::size_t state_size() const { return static_cast<std::size_t>(D_ * Dv_); }
  [[nodiscard]] std::int64_t chunks() const { return (n_ + kChunk - 1) / kChunk; }
  // Row of the chunk at step i of it.
  [[nodiscard]] std::int64_t row(std::int64_t i) const { return reverse_ ? count_ - 1 - i : i; }
  [[nodiscard]] Row at(std::int64_t t) const {
    return {q_rows_.data() + t * D_, k_rows_.data() + t * D_, v_rows_.data() + t * Dv_,
            a_rows_.data() + t * D_};
  }

  // Reads the rows of the chunk that is the given one in the order of the scan.
  void load(std::int64_t chunk) {
    begin_ = (reverse_ ? chunks() - 1 - chunk : chunk) * kChunk;
    count_ = std::min(kChunk, n_ - begin_);
    q_.read(begin_, count_, q_rows_);
    k_.read(begin_, count_, k_rows_);
    v_.read(begin_, count_, v_rows_);
    g_.read(begin_, count_, a_rows_);
    exponentials(a_rows_.data(), count_ * D_);
  }

  // The loaded chunk from state S on; `decayed` takes diag(a) S of each step.
  void run(std::vector<float>& S, std::vector<float>& out, float* decayed) const {
    for (std::int64_t i = 0; i < count_; ++i) {
      const std::int64_t t = row(i);
      forward_steps(S.data(), at(t), D_, Dv_, !reverse_, out.data() + t * Dv_,
                    decayed == nullptr ? nullptr : decayed + i * D_ * Dv_);
    }
  }

  // The state before each chunk.
  [[nodiscard]] std::vector<std::vector<float>> states() {
    std::vector<std::vector<float>> result;
    std::vector<float> S(state_size(), 0.0F);
    std::vector<float> unused;
    for (std::int64_t chunk = 0; chunk < chunks(); ++chunk) {
      result.push_back(S);
      load(chunk);
      unused.assign(static_cast<std::size_t>(count_ * Dv_), 0.0F);
      run(S, unused, nullptr);
    }
    return result;
  }

  Matrix q_, k_, v_, g_;
  std::int64_t n_;
  bool reverse_;
  std::int64_t D_, Dv_;
  std::int64_t begin_ = 0;
  std::int64_t count_ = 0;
  std::vector<float> q_rows_, k_rows_, v_rows_, a_rows_;
};

}  // namespace

Value gated_scan(const Value& q, const Value& k, const Value& v, const Value& g, std::int64_t n,
                 bool reverse) {
  if (q.rank() != 3 || k.shape() != q.shape() || g.shape() != q.shape() || v.rank() != 3 ||
      v.dim(0) != q.dim(0) || v.dim(1) != q.dim(1) || g.dtype() != DType::f32 || n > q.dim(1)) {
    fail(ErrorKind::shape, "gated_scan: got q {}, k {}, v {}, g {} {}, {} rows", q.shape().text(),
         k.shape().text(), v.shape().text(), g.shape().text(), dtype_name(g.dtype()), n);
  }
  const Tensor tq = q.tensor();
  const Tensor tk = k.tensor();
  const Tensor tv = v.tensor();
  const Tensor tg = g.tensor();
  Tensor o = Tensor::zeros(tv.shape(), tv.dtype());
  {
    const profile::Scope scope("scan");
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      Scan({&tq, h}, {&tk, h}, {&tv, h}, {&tg, h}, n, reverse).forward({&o, h});
    }
  }
  return Tape::record(std::move(o), {&q, &k, &v, &g},
                      [=, gq = q.gradient(), gk = k.gradient(), gv = v.gradient(),
                       gg = g.gradient()](const Tensor& dy) {
                        const profile::Scope scope("scan");
                        Tensor dq = Tensor::zeros(tq.shape(), tq.dtype());
                        Tensor dk = Tensor::zeros(tk.shape(), tk.dtype());
                        Tensor dv = Tensor::zeros(tv.shape(), tv.dtype());
                        Tensor dg = Tensor::zeros(tg.shape(), DType::f32);
                        for (std::int64_t h = 0; h < tq.dim(0); ++h) {
                          Scan({&tq, h}, {&tk, h}, {&tv, h}, {&tg, h}, n, reverse)
                              .backward({&dy, h}, {&dq, h}, {&dk, h}, {&dv, h}, {&dg, h});
                        }
                        if (gq) gq->add(std::move(dq));
                        if (gk) gk->add(std::move(dk));
                        if (gv) gv->add(std::move(dv));
                        if (gg) gg->add(std::move(dg));
                      });
}

}  // namespace lra::engine
