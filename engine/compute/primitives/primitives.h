#pragma once
// oneDNN primitives on plain memory, executed immediately on the calling thread: the level below
// the tape. Each thread keeps its own compiled primitives, keyed by operation, types, shapes and
// strides, with their argument lists, so that a call costs a look-up and no allocation.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::engine::primitives {

// A strided view of memory; the innermost stride of a dense view is 1.
struct View {
  std::byte* data = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  std::array<std::int64_t, Shape::kMaxRank> strides{};  // in elements
};

[[nodiscard]] View view(const Tensor& tensor);
[[nodiscard]] View view(const Tensor& tensor, const Shape& shape);  // reshaped
// Exchanges the last two axes.
[[nodiscard]] View transposed(View v);
[[nodiscard]] View permuted(const View& v, std::span<const int> axes);
// `count` entries from `begin` along an axis.
[[nodiscard]] View narrowed(View v, int axis, std::int64_t begin, std::int64_t count);

enum class Unary {
  relu,
  leaky_relu,
  elu,
  gelu_erf,
  gelu_tanh,
  exp,
  log,
  sqrt,
  abs,
  square,
  sigmoid,
  tanh,
  softplus,
  silu,
  linear,
  clip,
  pow
};
enum class Binary { add, sub, mul, div, max, min, greater_equal };

// Post-operations on the result of a product before it is stored, in order.
struct PostOp {
  enum class Kind { unary, binary, sum } kind;
  Unary unary = Unary::linear;
  float alpha = 0;
  float beta = 0;
  Binary binary = Binary::add;
  View operand{};  // of the result's rank; axes of size 1 are broadcast
};
[[nodiscard]] PostOp apply(Unary unary, float alpha = 0, float beta = 0);
[[nodiscard]] PostOp apply(Binary binary, const View& operand);
// Adds the product to the existing content of the result (must come first).
[[nodiscard]] PostOp accumulate();

// c = post_ops(a b + bias). a [..., m, k], b [..., k, n], c [..., m, n], ranks equal, batch axes
// equal or 1; bias f32 of c's rank. One of each operand's last two axes has stride 1.
// a and b share a type; c is f32 or that type. k = 0 gives zeros; an empty c is not touched.
void matmul(const View& a, const View& b, const View& c, std::span<const PostOp> post_ops = {},
            const View* bias = nullptr);

// y = f(x), element-wise on dense tensors of equal type; in place allowed. alpha, beta: leaky_relu
// and elu slope, linear alpha x + beta, clip [alpha, beta], pow alpha x^beta, silu x sigmoid(alpha
// x).
void unary(Unary f, const Tensor& x, const Tensor& y, float alpha = 0, float beta = 0);
// dx = dy f'(x); `kept` is y where unary_keeps_result(f), else x. dx may be dy.
void unary_backward(Unary f, const Tensor& kept, const Tensor& dy, const Tensor& dx,
                    float alpha = 0, float beta = 0);
[[nodiscard]] bool unary_keeps_result(Unary f, float alpha);

// c = a op b (greater_equal: 1 or 0). b's axes equal a's or are 1; c has a's shape and type; b may
// be f32 when a is bf16 and the other way round. c may be a.
void binary(Binary op, const Tensor& a, const Tensor& b, const Tensor& c);

enum class SoftmaxKind { softmax, log_softmax };
// Over the last axis; y of x's type, or bf16 from f32.
void softmax(SoftmaxKind kind, const Tensor& x, const Tensor& y);
void softmax_backward(SoftmaxKind kind, const Tensor& y, const Tensor& dy, const Tensor& dx);

// Over the last axis (C), per row; gamma, beta [C] and mean, variance [rows] in f32.
void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps,
                const Tensor& y, const Tensor& mean, const Tensor& variance);
// Overwrites dx, dgamma, dbeta.
void layer_norm_backward(const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& variance, float eps, const Tensor& dy, const Tensor& dx,
                         const Tensor& dgamma, const Tensor& dbeta);

// Copies between views of equal shape; changes type and layout.
void copy(const View& from, const View& to);
// t converted to another type; t itself if it already has the type.
[[nodiscard]] Tensor cast(const Tensor& t, DType dtype);

enum class Reduction { sum, max };
// Over the last axis of x [rows, C] into y [rows, 1].
void reduce_rows(Reduction kind, const Tensor& x, const Tensor& y);

// The primitives compiled so far in this process, for the test that looks for reference kernels.
struct Compiled {
  std::string operation;       // "matmul", "binary", ...
  std::string implementation;  // oneDNN's impl_info_str(), e.g. "brg:avx512_core_bf16"
  std::string shapes;
};
[[nodiscard]] std::vector<Compiled> compiled();
// The compiled primitives that use a reference kernel, as text: a single one costs more than a
// whole layer.
[[nodiscard]] std::vector<std::string> reference_kernels();
void forget_compiled();

// Floating-point operations of the products that this thread has executed.
[[nodiscard]] std::int64_t executed_flops();
void add_flops(std::int64_t flops);
// Returns this thread's scratchpad to the pool, so that it is counted for the run that uses it.
void release_scratchpad();
// Drops this thread's primitives and scratchpad.
void clear_thread_cache();

}  // namespace lra::engine::primitives
