#pragma once
// Depthwise convolution of tokens with taps that are values (parameters, or computed from the
// input): along the line of tokens or over a square image whose pixels they are.

#include <functional>

#include "attention/attention.h"

namespace lra::attention {

struct Window {
  std::int64_t length = 0;   // n, real tokens; values outside count as 0
  bool cls = false;          // token 0 takes no part and gets 0
  std::int64_t side = 0;     // width of the image, row by row; 0: tokens in a line
  std::int64_t before = -1;  // taps before the token itself; -1: as many as behind it
};

// y_i = sum_t w_t v_(i + t - before) for every feature: v [G, N, C], w [G or 1, C, T] of T taps on
// a line or K x K of an image -> [G, N, C] of v's type; rows from n on may be any finite values. A
// sum of shifted products, T passes. Throws Error(shape).
[[nodiscard]] Value depthwise(const Value& v, const Value& w, const Window& window);

// The same in double; w(g, c, t) is a tap, T their number.
[[nodiscard]] Plain plain_depthwise(
    const Plain& v, std::int64_t T,
    const std::function<double(std::int64_t g, std::int64_t c, std::int64_t t)>& w,
    const Window& window);

// The width of the square image of max_length pixels (CLS aside). Throws Error(config), naming
// `where`, if they do not form a square.
[[nodiscard]] std::int64_t image_side(const Dimensions& d, const std::string& where);

// Throws Error(config), naming `where`, unless there are as many keys as queries: a window around a
// query is over the values of its own sequence.
void require_same_tokens(const Heads& x, const std::string& where);

// An option of variants: a convolution over tokens in a line (1d) or pixels of a square image (2d).
enum class Neighbours { none, one_dimensional, two_dimensional };
constexpr auto texts(Neighbours) { return enum_texts("none", "1d", "2d"); }

// Local branch of vision models with linear attention: o + a convolution of v with learned kernels
// of 5 taps (5 x 5) and a bias. A CLS token takes no part (ours).
class LocalMixing {
 public:
  enum class Kernels { of_head, of_model };  // one for each feature of a head; of all heads
  LocalMixing(Neighbours preset, Kernels kernels) : local_(preset), kernels_(kernels) {}
  // The option `local`.
  void options(OptionTable& table);
  // Parameters local_w [D or H D, 5 or 5, 5] and local_b [D or H D].
  void build(const ParameterBuilder& p, const Dimensions& d, const std::string& where);
  [[nodiscard]] bool on() const { return local_ != Neighbours::none; }
  // Throws Error(config) if there are other numbers of keys than of queries.
  [[nodiscard]] Value add(const Value& o, const Heads& x) const;
  void add(Plain& o, const PlainInputs& in) const;

 private:
  [[nodiscard]] Window window(std::int64_t length) const;
  Neighbours local_;
  Kernels kernels_;
  std::int64_t side_ = 0;
  bool cls_ = false;
  std::string where_;
  Parameter w_, b_;
};

// o (x W + b), without an activation: the output gate of PolaFormer, MALA and RALA.
class LinearGate {
 public:
  explicit LinearGate(bool preset) : on_(preset) {}
  // The option `gate`.
  void options(OptionTable& table);
  // Parameters gate_w [E, H D] and gate_b [H D].
  void build(const ParameterBuilder& p, const Dimensions& d);
  [[nodiscard]] bool on() const { return on_; }
  [[nodiscard]] Value apply(const Value& o, const Heads& x) const;
  void apply(Plain& o, const PlainInputs& in) const;

 private:
  bool on_;
  Parameter W_, b_;
};

}  // namespace lra::attention
