#pragma once
// One chunk of the delta rule: sixteen rows of a head, forwards and backwards. Not installed.

#include <cstdint>
#include <vector>

#include "engine/fused/scan/delta_kernels.h"
#include "engine/fused/scan/scan_rows.h"
#include "engine/tensor/tensor.h"

namespace lra::engine::delta {

inline constexpr std::int64_t kKept = 4;  // chunks per kept state

enum class Gate { none, head, feature };

// Inputs of a scan. With one key (`read` undefined), that key reads, erases and is written; with
// two, beta is 1 and the values of `erase` are 0.
struct Operands {
  Tensor q, k, v, g, beta, read, erase;
  std::int64_t n = 0;
  bool reverse = false;

  [[nodiscard]] bool two_keys() const { return read.defined(); }
  [[nodiscard]] Gate gate() const {
    if (!g.defined()) return Gate::none;
    return g.dim(2) == 1 ? Gate::head : Gate::feature;
  }
  [[nodiscard]] std::int64_t chunks() const { return (n + kRows - 1) / kRows; }
  [[nodiscard]] std::int64_t kept() const { return (chunks() + kKept - 1) / kKept; }
  [[nodiscard]] std::int64_t state_size() const {
    return padded_columns(q.dim(2)) * padded_columns(v.dim(2));
  }
};

// A matrix in the cache.
class Block {
 public:
  Block() = default;
  Block(std::int64_t rows, std::int64_t columns)
      : tensor_(Tensor::zeros({rows, columns})),
        data_(tensor_.f32()),
        rows_(rows),
        columns_(columns) {}
  [[nodiscard]] float* data() const { return data_; }
  [[nodiscard]] float* row(std::int64_t i) const { return data_ + i * columns_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  [[nodiscard]] std::int64_t size() const { return rows_ * columns_; }

 private:
  Tensor tensor_;
  float* data_ = nullptr;
  std::int64_t rows_ = 0, columns_ = 0;
};

// Buffers reused by successive chunks.
struct Scratch {
  Scratch(std::int64_t P, std::int64_t Pv);
  Block o, running, ones, S_t, dS, dS_t, u_t, dA, dQ, dA2, dQ2, dO, du, z, dv, dq, dread, derase,
      dk, terms;
};

// Targets of the gradients of one head; undefined tensors are not wanted.
struct Gradients {
  Tensor q, k, v, g, beta, read, erase;
};

// Sixteen rows of one head in the order of the recurrence, zeros behind the last. With two keys
// `erase` is written with the values u, `k` with v; with one, `read` and `erase` are k.
class Chunk {
 public:
  Chunk(const Operands& in, std::int64_t P, std::int64_t Pv);

  void load(std::int64_t head, std::int64_t chunk);

  // The values written by the chunk, from the state S before it.
  void solve(const Block& S, const Scratch& w);

  // The outputs, from the result of solve().
  void write_outputs(const Tensor& o, const Scratch& w) const;

  // The state behind the chunk.
  void advance(const Block& S) const;

  // Writes the gradients of the chunk's rows; w.dS, the gradient of the state behind it, becomes
  // that of the state before it. `gates` [P]: sums over the rows that come after.
  void backward(const Tensor& dy, const Gradients& to, std::vector<double>& gates,
                const Scratch& w) const;

 private:
  [[nodiscard]] std::int64_t row(std::int64_t i) const {
    return ScanOrder{in_.n, in_.reverse}.row(begin_ + i);
  }
  void read_rows(const Tensor& from, const Block& to) const;
  void write_rows(const Block& from, const Tensor& to) const;
  // e^{G_i - G_j} of a gate shared by all features.
  void set_ratios() const;
  // A(i, j) = read_i . e^{G_i - G_j} key_j for j < i, Q(i, j) = q_i . e^{G_i - G_j} key_j for j <=
  // i.
  void pairs(const Block& key, const Block& A, const Block& Q, const Scratch& w) const;
  // Gradients through the products of pairs, for keys written with the values `value`.
  void add_pair_slopes(const Block& key, const Block& value, const Block& dA, const Block& dQ,
                       const Block& dkey, const Scratch& w) const;
  void write_gradients(const Gradients& to, std::vector<double>& gates, const Scratch& w) const;
  // dg_t: g_t weighs what is read from t on of what was written before t.
  void sum_gates(const Tensor& to, std::vector<double>& sums, const Scratch& w) const;

  const Operands& in_;
  Gate gate_;
  bool two_;
  std::int64_t D_;
  std::int64_t head_ = 0, begin_ = 0, count_ = 0;
  Block q_, k_, read_, erase_, decay_, E_, F_;
  Block qE_, readE_, eraseF_, kF_;  // with the decays since the chunk's beginning, up to its end
  Block v_, rest_, u_, beta_, ratio_, A_, Q_, A2_, Q2_;
  Block S_;  // before the chunk
};

}  // namespace lra::engine::delta
