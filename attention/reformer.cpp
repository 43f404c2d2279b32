// Reformer. Kitaev, Kaiser, Levskaya 2020, "Reformer: The Efficient Transformer", arXiv 2001.04451,
// section 2, and the code of trax.
// Queries and keys are one projection, qk. In each of R rounds a token is hashed,
//   h(x) = argmax([x rot; -x rot]),  rot [D, nb/2] ~ N(0, 1),
// tokens are sorted by (hash, position), and the R sorted sequences, one behind the other, are cut
// into chunks of c. A query attends its own chunk and the one before it (the first chunk: the very
// last one), with logits s_ij = q_i . k_j / |k_j| (times D^-1/2 in lucidrains' code), itself only
// if nothing else is there; a key that is listed twice counts twice. With L_r the logarithm of a
// round's normaliser, o = sum_r softmax_r(L_r) o_r. Time O(N log N + R N c D), memory O(R N c).
// Exact softmax attention over all but oneself for one bucket that holds all. The sequence is
// filled up with zeros to a multiple of 2c, nb = that / c. No gradient flows through the hash.
// Ours: buckets divide the real length by default (`structure = tensor`: the padded tensor); each
// sequence draws its own rotations; hashes are in f32 also in bf16 runs.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/hash_chunks.h"
#include "attention/parts/key_lists.h"
#include "attention/parts/layout.h"

namespace lra::attention {
namespace {

class Reformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("bucket_size", c_, 1, 4096, "c, tokens of a chunk")
        .integer("n_hashes", R_, 1, 64, "R, rounds of hashing")
        .choice("logit_scale", scale_, "of the products with normalised keys");
    structure_.option(t);
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return structure_.golden(Attention::golden_options(hyper), hyper);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const std::int64_t n = x.length;
    const std::int64_t D = x.q.dim(2);
    const std::int64_t rows = structure_.length(n, x.q.dim(1));
    const Tensor rot = c.draw("rot", [&] { return draw(D, buckets(rows), c.call); });
    const Tensor hash = hash_rows(x.q, rot, rows, buckets(rows) / 2);  // [H,R,rows]
    // Padding of the tensor is sorted into the buckets by its content.
    if (rows > n) static_cast<void>(c.draw("hash", [&] { return hash; }));
    std::vector<HashChunks> all;
    for (std::int64_t h = 0; h < x.q.dim(0); ++h) {
      const float* own = hash.f32() + h * R_ * rows;
      all.emplace_back(c_, R_, buckets(rows), rows, [=](std::int64_t r, std::int64_t i) {
        return static_cast<std::int64_t>(own[r * rows + i]);
      });
    }

    const Value squares = sum_f32(square(cast(x.k, DType::f32)), 2);        // [H,N,1]
    const Value k = x.k / sqrt(clamp_min(squares, kSmallest * kSmallest));  // [H,N,D]
    engine::BlockAttentionOptions options;
    options.scale = scale_ == Scale::one ? 1.0F : 1.0F / std::sqrt(static_cast<float>(D));
    options.normaliser = true;
    std::vector<engine::BlockAttention> rounds;
    for (std::int64_t r = 0; r < R_; ++r) {
      rounds.push_back(engine::block_attention(x.q, k, x.v, chunk_lists(all, r, n), options));
    }
    return R_ == 1 ? rounds[0].o : merge(rounds);  // [H,N,Dv]
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::int64_t n = in.q.dim(1);
    const std::int64_t rows = structure_.length(n, in.rows);
    const std::int64_t nb = buckets(rows);
    const double scale = scale_ == Scale::one ? 1 : 1 / std::sqrt(static_cast<double>(in.q.dim(2)));
    Plain o({in.q.dim(0), n, in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      const HashChunks all(c_, R_, nb, rows, [&](std::int64_t r, std::int64_t i) {
        if (i >= n) return static_cast<std::int64_t>(in.draws.at("hash")(h, r, i));
        const Plain& rot = in.draws.at("rot");
        const auto project = [&](std::int64_t b) {
          double sum = 0;
          for (std::int64_t d = 0; d < in.q.dim(2); ++d) sum += in.q(h, i, d) * rot(d, r, b);
          return sum;
        };
        return hash_bucket(project, nb / 2);
      });
      for (std::int64_t i = 0; i < n; ++i) {
        // All logits of all rounds: the merged rounds are one softmax over the joined lists.
        std::vector<double> s;
        std::vector<std::int64_t> keys;
        for (std::int64_t chunk = 0; chunk < all.count(); ++chunk) {
          if (std::count(all.begin(chunk), all.begin(chunk) + all.size(), i) == 0) continue;
          for (const std::int64_t* list : {all.begin(chunk), all.begin(chunk - 1)}) {
            for (std::int64_t at = 0; at < all.size(); ++at) {
              const std::int64_t j = list[at];
              if (j >= n) continue;
              const double norm = std::max(std::sqrt(dot(in.k, in.k, h, j, j)), 1e-12);
              s.push_back(dot(in.q, in.k, h, i, j) / norm * scale - (j == i ? 5e4 : 0));
              keys.push_back(j);
            }
          }
        }
        const std::vector<double> a = plain_softmax(s);
        for (std::size_t at = 0; at < a.size(); ++at) add_scaled(o, h, i, a[at], in.v, keys[at]);
      }
    }
    return o;
  }

 private:
  enum class Scale { one, inverse_root };
  friend constexpr auto texts(Scale) { return enum_texts("1", "D^-1/2"); }

  [[nodiscard]] std::int64_t buckets(std::int64_t rows) const {
    return std::max<std::int64_t>(2, 2 * divide_up(rows, 2 * c_));
  }

  [[nodiscard]] Tensor draw(std::int64_t D, std::int64_t nb, RandomKey key) const {
    RandomStream random(key.of("rot"));
    const Tensor rot({D, R_, nb / 2}, DType::f32);
    for (float& value : std::span(rot.f32(), static_cast<std::size_t>(rot.numel()))) {
      value = static_cast<float>(random.normal());
    }
    return rot;
  }

  static constexpr float kSmallest = 1e-12F;  // norm of a key
  std::int64_t c_ = 64;
  std::int64_t R_ = 2;
  Scale scale_ = Scale::one;
  Layout structure_{"structure"};
};

LRA_ATTENTION(reformer, Reformer,
              {.label = "Reformer",
               .cite = "Kitaev2020, arXiv 2001.04451",
               .input = Input::shared_qk,
               .time = Growth::n_log_n,
               .stochastic = true,
               .discrete = true,
               .ill_conditioned = true});  // the bucket of a token

}  // namespace
}  // namespace lra::attention
