// Flowformer. Wu, Wu, Xu, Wang, Long 2022, "Flowformer: Linearizing Transformers with Conservation
// Flows", arXiv 2202.06258, eq. (4)-(8); causal form as in the authors' code.
// Attention as a flow from sources (values) to sinks (queries) whose incoming and outgoing flows I,
// O are conserved; Q, K denote sigmoid(Q), sigmoid(K) and e = 1e-6:
//   I_i = (Q_i+e).(sum_j K_j + e)               O_j = (K_j+e).(sum_i Q_i + e)
//   I^_i = (Q_i+e).(sum_j K_j / O_j + e)        O^_j = (K_j+e).(sum_i Q_i / I_i + e) in [-1, 1]
//   o_i = sigmoid(I^_i n/m) (Q_i / I_i) sum_j K_j^T (m softmax_j(O^_j) v_j)
// Time O(N D^2), state O(D^2) per head. n queries, m keys, real tokens only. Causal: all sums run
// up to the token, and I, O, I^, O^ are divided by its position. The authors' LRA code has relu for
// the sigmoid, no clamp, and a softmax over heads; this is the paper's form.

#include <algorithm>
#include <cmath>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace lra::attention {
namespace {

constexpr double kEps = 1e-6;

// 1, 2, ..., n as [1, n, 1].
Value positions(std::int64_t n) {
  const Tensor t({1, n, 1}, DType::f32);
  for (std::int64_t i = 0; i < n; ++i) t.f32()[i] = static_cast<float>(i + 1);
  return Value(t);
}

class Flowformer final : public Attention {
 public:
  void options(OptionTable& t) override { t.flag("causal", causal_, "sums over j <= i"); }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto n = static_cast<float>(x.length);
    const auto m = static_cast<float>(x.key_length);
    const Value Q = mask_rows(sigmoid(x.q), x.length);                                   // [H,N,D]
    const Value K = mask_rows(sigmoid(x.k), x.key_length);                               // [H,M,D]
    const Value I = flow(Q, K);                                                          // [H,N,1]
    const Value O = flow(K, Q);                                                          // [H,M,1]
    const Value sinks = by_position(flow(Q, K / by_position(O)));                        // I^
    const Value sources = clamp(by_position(flow(K, Q / by_position(I))), -1.0F, 1.0F);  // O^
    const Value e = mask_rows(exp(sources), x.key_length);                               // [H,M,1]
    const Value competition =
        causal_ ? e * positions(e.dim(1)) / cumulative_sum(e, 1) : e / sum(e, 1) * m;
    const Value R = kernel_sums(Q / I, K, x.v * competition, causal_).numerator;  // [H,N,Dv]
    return R * sigmoid(sinks * (causal_ ? 1.0F : n / m));
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;

 private:
  // (a_i + e) . (sum of b + e), over all rows of b or those up to i, [H, N, 1] f32.
  [[nodiscard]] Value flow(const Value& a, const Value& b) const {
    constexpr auto e = static_cast<float>(kEps);
    if (causal_) return sum_f32((a + e) * (cumulative_sum(b, 1) + e), 2);
    const Value total = sum_f32(b, 1) + e;  // [H,1,D]
    return matmul(a, cast(total, a.dtype()), {.transpose_b = true, .f32_result = true}) +
           sum(total, 2) * e;
  }
  [[nodiscard]] Value by_position(const Value& x) const {
    return causal_ ? x / positions(x.dim(1)) : x;
  }

  bool causal_ = false;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// sum_d (sigmoid(a_id) + e) (total_d + e).
double flow(const Plain& a, std::int64_t h, std::int64_t i, const std::vector<double>& total) {
  double sum = 0;
  for (std::size_t d = 0; d < total.size(); ++d) {
    sum += (sigmoid(a(h, i, d)) + kEps) * (total[d] + kEps);
  }
  return sum;
}

// Flows from each row of a to the rows of b, sigmoid(b_j) / weight_j summed: all, or those up to i,
// then divided by the position.
std::vector<double> flows(const Plain& a, const Plain& b, std::int64_t h,
                          const std::vector<double>& weight, bool causal) {
  std::vector<double> total(static_cast<std::size_t>(b.dim(2)), 0.0);
  std::int64_t summed = 0;
  std::vector<double> result;
  for (std::int64_t i = 0; i < a.dim(1); ++i) {
    for (; summed < keys_of(i, b.dim(1), causal); ++summed) {
      for (std::size_t d = 0; d < total.size(); ++d) {
        total[d] += sigmoid(b(h, summed, d)) / weight[static_cast<std::size_t>(summed)];
      }
    }
    result.push_back(flow(a, h, i, total) / (causal ? static_cast<double>(i + 1) : 1.0));
  }
  return result;
}

// w_ij = sigmoid(I^_i n/m) / I_i  sigmoid(q_i) . sigmoid(k_j)  m softmax_j(O^_j).
Weights Flowformer::weights(const PlainInputs& in) const {
  const std::int64_t n = in.q.dim(1);
  const std::int64_t m = in.k.dim(1);
  const double ratio = causal_ ? 1.0 : static_cast<double>(n) / static_cast<double>(m);
  Plain allocation({in.q.dim(0), n});   // of a query: sigmoid(I^_i n/m) / I_i
  Plain competition({in.q.dim(0), m});  // of a key: m softmax_j(O^_j)
  for (std::int64_t h = 0; h < in.q.dim(0); ++h) {
    const std::vector<double> ones(static_cast<std::size_t>(std::max(n, m)), 1.0);
    const std::vector<double> I = flows(in.q, in.k, h, ones, causal_);
    const std::vector<double> O = flows(in.k, in.q, h, ones, causal_);
    const std::vector<double> sinks = flows(in.q, in.k, h, O, causal_);
    const std::vector<double> sources = flows(in.k, in.q, h, I, causal_);
    for (std::int64_t i = 0; i < n; ++i) {
      const double position = causal_ ? static_cast<double>(i + 1) : 1.0;
      const auto u = static_cast<std::size_t>(i);
      allocation(h, i) = sigmoid(sinks[u] * ratio) / (I[u] * position);
    }
    double sum = 0;
    for (std::int64_t j = 0; j < m; ++j) {
      competition(h, j) = std::exp(std::clamp(sources[static_cast<std::size_t>(j)], -1.0, 1.0));
      sum += competition(h, j);
      if (causal_) competition(h, j) *= static_cast<double>(j + 1) / sum;
    }
    for (std::int64_t j = 0; j < m && !causal_; ++j) {
      competition(h, j) *= static_cast<double>(m) / sum;
    }
  }
  const auto row = [=, causal = causal_](const Plain& q, const Plain& k, std::int64_t h,
                                         std::int64_t i) {
    return Row{each_key(keys_of(i, k.dim(1), causal), [&](std::int64_t j) {
      return dot(q, k, h, i, j) * competition(h, j) * allocation(h, i);
    })};
  };
  return {mapped(in.q, sigmoid), mapped(in.k, sigmoid), row, true};
}

LRA_ATTENTION(flowformer, Flowformer,
              {.label = "Flowformer",
               .cite = "Wu2022, arXiv 2202.06258",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention
