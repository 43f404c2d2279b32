#include "engine/compute/primitives/primitives.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/compute/onednn.h"
#include "engine/compute/profile.h"
#include "engine/tensor/memory.h"

namespace lra::engine::primitives {
namespace {

using onednn::Desc;
using onednn::Dims;

dnnl::memory::data_type dnnl_type(DType type) {
  switch (type) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    case DType::i32:
      return dnnl::memory::data_type::s32;
  }
  return dnnl::memory::data_type::undef;
}

Desc descriptor(const View& v) {
  const auto rank = static_cast<std::ptrdiff_t>(v.rank);
  return {Dims(v.dims.begin(), v.dims.begin() + rank), dnnl_type(v.dtype),
          Dims(v.strides.begin(), v.strides.begin() + rank)};
}

dnnl::algorithm dnnl_algorithm(Unary f, bool keep_result) {
  using dnnl::algorithm;
  switch (f) {
    case Unary::relu:
    case Unary::leaky_relu:
      return keep_result ? algorithm::eltwise_relu_use_dst_for_bwd : algorithm::eltwise_relu;
    case Unary::elu:
      return keep_result ? algorithm::eltwise_elu_use_dst_for_bwd : algorithm::eltwise_elu;
    case Unary::gelu_erf:
      return algorithm::eltwise_gelu_erf;
    case Unary::gelu_tanh:
      return algorithm::eltwise_gelu_tanh;
    case Unary::exp:
      return keep_result ? algorithm::eltwise_exp_use_dst_for_bwd : algorithm::eltwise_exp;
    case Unary::log:
      return algorithm::eltwise_log;
    case Unary::sqrt:
      return keep_result ? algorithm::eltwise_sqrt_use_dst_for_bwd : algorithm::eltwise_sqrt;
    case Unary::abs:
      return algorithm::eltwise_abs;
    case Unary::square:
      return algorithm::eltwise_square;
    case Unary::sigmoid:
      return keep_result ? algorithm::eltwise_logistic_use_dst_for_bwd
                         : algorithm::eltwise_logistic;
    case Unary::tanh:
      return keep_result ? algorithm::eltwise_tanh_use_dst_for_bwd : algorithm::eltwise_tanh;
    case Unary::softplus:
      return algorithm::eltwise_soft_relu;
    case Unary::silu:
      return algorithm::eltwise_swish;
    case Unary::linear:
      return algorithm::eltwise_linear;
    case Unary::clip:
      return algorithm::eltwise_clip;
    case Unary::pow:
      return algorithm::eltwise_pow;
  }
  return algorithm::undef;
}

// oneDNN's parameters of functions that have fixed ones.
std::pair<float, float> parameters(Unary f, float alpha, float beta) {
  switch (f) {
    case Unary::relu:
      return {0.0F, 0.0F};
    case Unary::elu:
    case Unary::softplus:
      return {alpha == 0 ? 1.0F : alpha, 0.0F};
    case Unary::silu:
      return {alpha == 0 ? 1.0F : alpha, 0.0F};
    default:
      return {alpha, beta};
  }
}

dnnl::algorithm dnnl_algorithm(Binary op) {
  using dnnl::algorithm;
  switch (op) {
    case Binary::add:
      return algorithm::binary_add;
    case Binary::sub:
      return algorithm::binary_sub;
    case Binary::mul:
      return algorithm::binary_mul;
    case Binary::div:
      return algorithm::binary_div;
    case Binary::max:
      return algorithm::binary_max;
    case Binary::min:
      return algorithm::binary_min;
    case Binary::greater_equal:
      return algorithm::binary_ge;
  }
  return algorithm::undef;
}

enum class Kind : std::int64_t {
  matmul,
  unary,
  unary_backward,
  binary,
  softmax,
  softmax_backward,
  layer_norm,
  layer_norm_backward,
  copy,
  reduce
};
constexpr std::array<const char*, 10> kKindNames{
    "matmul",           "eltwise",    "eltwise backward",    "binary",  "softmax",
    "softmax backward", "layer norm", "layer norm backward", "reorder", "reduction"};

// What identifies a compiled primitive.
class Key {
 public:
  explicit Key(Kind kind) { put(static_cast<std::int64_t>(kind)); }
  Key& put(std::int64_t word) {
    if (size_ == words_.size()) fail(ErrorKind::backend, "primitives: too many post-operations");
    words_[size_++] = word;
    return *this;
  }
  Key& put(float value) {
    return put(static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(value)));
  }
  Key& put(const View& v) {
    put((static_cast<std::int64_t>(v.dtype) << 8) | v.rank);
    for (std::size_t i = 0; i < static_cast<std::size_t>(v.rank); ++i) {
      put(v.dims[i]);
      put(v.strides[i]);
    }
    return *this;
  }
  [[nodiscard]] Kind kind() const { return static_cast<Kind>(words_[0]); }
  friend bool operator==(const Key& a, const Key& b) {
    return a.size_ == b.size_ &&
           std::memcmp(a.words_.data(), b.words_.data(), a.size_ * sizeof(std::int64_t)) == 0;
  }
  [[nodiscard]] std::size_t hash() const {
    std::uint64_t h = 0x9E3779B97F4A7C15U;
    for (std::size_t i = 0; i < size_; ++i) {
      h = (h ^ static_cast<std::uint64_t>(words_[i])) * 0xFF51AFD7ED558CCDU;
      h ^= h >> 32U;
    }
    return h;
  }

 private:
  std::array<std::int64_t, 96> words_;
  std::size_t size_ = 0;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const { return key.hash(); }
};

// A primitive with its argument list; the memory objects are pointed at the data before each call.
struct Entry {
  dnnl::primitive primitive;
  std::vector<dnnl::memory> memories;
  std::vector<dnnl_exec_arg_t> arguments;
  std::size_t scratchpad_bytes = 0;

  void argument(int name, const Desc& desc) {
    memories.emplace_back(desc, onednn::cpu(), nullptr);
    arguments.push_back({name, memories.back().get()});
  }
};

struct ThreadCache {
  std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> entries;
  std::shared_ptr<std::byte> scratchpad;
  std::size_t scratchpad_bytes = 0;
};
ThreadCache& cache() {
  thread_local ThreadCache instance;
  return instance;
}

thread_local std::int64_t flops_of_thread = 0;

std::mutex compiled_mutex;
std::vector<Compiled>& compiled_list() {
  static std::vector<Compiled> list;
  return list;
}

std::string text(const View& v) {
  const auto rank = static_cast<std::size_t>(v.rank);
  return fmt::format("{}{}/{}", dtype_name(v.dtype),
                     std::vector(v.dims.begin(), v.dims.begin() + rank),
                     std::vector(v.strides.begin(), v.strides.begin() + rank));
}

// Finds or builds the entry of a key. `build` fills the entry and returns the implementation's
// name.
template <class Build>
Entry& entry_for(const Key& key, std::initializer_list<const View*> views, Build build) {
  ThreadCache& own = cache();
  if (const auto found = own.entries.find(key); found != own.entries.end()) return *found->second;
  auto entry = std::make_unique<Entry>();
  const char* operation = kKindNames[static_cast<std::size_t>(key.kind())];
  std::string shapes;
  for (const View* v : views) shapes += (shapes.empty() ? "" : " ") + text(*v);
  try {
    // oneDNN's own cache lets the second thread find what the first has compiled.
    static std::once_flag once;
    std::call_once(once, [] { dnnl::set_primitive_cache_capacity(16384); });
    std::string implementation = build(*entry);
    const std::scoped_lock lock(compiled_mutex);
    compiled_list().push_back({operation, std::move(implementation), std::move(shapes)});
  } catch (const dnnl::error& error) {
    fail(ErrorKind::backend, "oneDNN {}: {} (status {}); operands {}", operation, error.what(),
         static_cast<int>(error.status), shapes);
  }
  return *own.entries.emplace(key, std::move(entry)).first->second;
}

// Fills in what every primitive needs after its own arguments.
template <class PrimitiveDesc>
std::string finish(Entry& entry, const PrimitiveDesc& pd) {
  entry.primitive = dnnl::primitive(pd.get());
  const Desc scratchpad = pd.scratchpad_desc();
  entry.scratchpad_bytes = scratchpad.get_size();
  if (entry.scratchpad_bytes > 0) entry.argument(DNNL_ARG_SCRATCHPAD, scratchpad);
  return pd.impl_info_str();
}

void execute(Entry& entry, std::initializer_list<const void*> data, Kind kind,
             std::span<const PostOp> post_ops = {}) {
  const profile::Scope scope(kKindNames[static_cast<std::size_t>(kind)]);
  std::size_t i = 0;
  // oneDNN takes non-const handles also for what it only reads.
  const auto point = [&entry, &i](const void* p) {
    dnnl_memory_set_data_handle(entry.memories[i++].get(), const_cast<void*>(p));
  };
  for (const void* p : data) point(p);
  for (const PostOp& op : post_ops) {
    if (op.kind == PostOp::Kind::binary) point(op.operand.data);
  }
  if (entry.scratchpad_bytes > 0) {
    ThreadCache& own = cache();
    if (own.scratchpad_bytes < entry.scratchpad_bytes) {
      own.scratchpad.reset();
      own.scratchpad = allocate_block(entry.scratchpad_bytes);
      own.scratchpad_bytes = entry.scratchpad_bytes;
    }
    point(own.scratchpad.get());
  }
  const dnnl_status_t status =
      dnnl_primitive_execute(entry.primitive.get(), onednn::stream().get(),
                             static_cast<int>(entry.arguments.size()), entry.arguments.data());
  if (status != dnnl_success) {
    fail(ErrorKind::backend, "oneDNN {}: execution failed (status {})",
         kKindNames[static_cast<std::size_t>(kind)], static_cast<int>(status));
  }
}

// The shape of two tensors with neighbouring axes joined where both are dense in the same way, so
// that few distinct primitives exist and oneDNN sees the simplest form.
struct Joined {
  Shape a, b;
};
Joined join(const Shape& a, const Shape& b) {
  std::array<std::int64_t, Shape::kMaxRank> da{};
  std::array<std::int64_t, Shape::kMaxRank> db{};
  std::size_t rank = 0;
  bool previous = false;
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i] == 1) continue;
    const bool broadcast = b[i] == 1;
    if (rank > 0 && broadcast == previous) {
      da[rank - 1] *= a[i];
      db[rank - 1] *= b[i];
    } else {
      da[rank] = a[i];
      db[rank] = b[i];
      ++rank;
    }
    previous = broadcast;
  }
  if (rank == 0) {
    da[0] = db[0] = 1;
    rank = 1;
  }
  return {Shape(std::span<const std::int64_t>(da.data(), rank)),
          Shape(std::span<const std::int64_t>(db.data(), rank))};
}

Shape flat(const Tensor& t) { return Shape{t.numel()}; }
Shape rows(const Tensor& t) { return Shape{t.numel() / t.dim(-1), t.dim(-1)}; }

void check_same(const char* where, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    fail(ErrorKind::shape, "{}: got {} and {}, expected equal shapes", where, a.shape().text(),
         b.shape().text());
  }
}

}  // namespace

View view(const Tensor& tensor) { return view(tensor, tensor.shape()); }

View view(const Tensor& tensor, const Shape& shape) {
  View v;
  v.data = tensor.raw();
  v.dtype = tensor.dtype();
  v.rank = shape.rank();
  std::int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    v.dims[static_cast<std::size_t>(i)] = shape[i];
    v.strides[static_cast<std::size_t>(i)] = stride;
    stride *= shape[i];
  }
  return v;
}

View transposed(View v) {
  const auto last = static_cast<std::size_t>(v.rank - 1);
  std::swap(v.dims[last], v.dims[last - 1]);
  std::swap(v.strides[last], v.strides[last - 1]);
  return v;
}

View permuted(const View& v, std::span<const int> axes) {
  View result = v;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    result.dims[i] = v.dims[static_cast<std::size_t>(axes[i])];
    result.strides[i] = v.strides[static_cast<std::size_t>(axes[i])];
  }
  return result;
}

View narrowed(View v, int axis, std::int64_t begin, std::int64_t count) {
  const auto i = static_cast<std::size_t>(axis < 0 ? axis + v.rank : axis);
  v.data += static_cast<std::size_t>(begin * v.strides[i]) * size_of(v.dtype);
  v.dims[i] = count;
  return v;
}

PostOp apply(Unary unary, float alpha, float beta) {
  return {PostOp::Kind::unary, unary, alpha, beta, Binary::add, {}};
}
PostOp apply(Binary binary, const View& operand) {
  return {PostOp::Kind::binary, Unary::linear, 0, 0, binary, operand};
}
PostOp accumulate() { return {PostOp::Kind::sum, Unary::linear, 0, 0, Binary::add, {}}; }

namespace {

void check_matmul(const View& a, const View& b, const View& c) {
  const auto bad = [&](const char* what) {
    fail(ErrorKind::shape, "matmul: {}; got {} x {} -> {}", what, text(a), text(b), text(c));
  };
  if (a.rank != b.rank || a.rank != c.rank || a.rank < 2) bad("ranks must be equal, at least 2");
  const auto m = static_cast<std::size_t>(a.rank - 2);
  if (a.dims[m + 1] != b.dims[m] || a.dims[m] != c.dims[m] || b.dims[m + 1] != c.dims[m + 1]) {
    bad("inner and outer sizes must agree");
  }
  for (std::size_t i = 0; i < m; ++i) {
    const bool fits =
        (a.dims[i] == c.dims[i] || a.dims[i] == 1) && (b.dims[i] == c.dims[i] || b.dims[i] == 1);
    if (!fits) bad("batch axes must agree or be 1");
  }
}

// Zeroes the axes from `axis` on of a view, which may be a part of a larger tensor.
void zero_view(const View& c, std::byte* data, int axis = 0) {
  if (axis == c.rank) {
    std::memset(data, 0, size_of(c.dtype));
    return;
  }
  const auto i = static_cast<std::size_t>(axis);
  const std::int64_t step = c.strides[i] * static_cast<std::int64_t>(size_of(c.dtype));
  for (std::int64_t n = 0; n < c.dims[i]; ++n) zero_view(c, data + n * step, axis + 1);
}

std::string build_matmul(Entry& entry, const View& a, const View& b, const View& c,
                         std::span<const PostOp> post_ops, const View* bias) {
  dnnl::post_ops ops;
  for (const PostOp& op : post_ops) {
    if (op.kind == PostOp::Kind::sum) {
      ops.append_sum(1.0F);
    } else if (op.kind == PostOp::Kind::unary) {
      const auto [alpha, beta] = parameters(op.unary, op.alpha, op.beta);
      onednn::append_eltwise(ops, dnnl_algorithm(op.unary, false), alpha, beta);
    } else {
      ops.append_binary(dnnl_algorithm(op.binary), descriptor(op.operand));
    }
  }
  const auto attr = onednn::make_attr(ops);
  const Desc da = descriptor(a);
  const Desc db = descriptor(b);
  const Desc dc = descriptor(c);
  const auto pd = bias == nullptr
                      ? onednn::make_pd<dnnl::matmul>(attr, da, db, dc)
                      : onednn::make_pd<dnnl::matmul>(attr, da, db, descriptor(*bias), dc);
  entry.memories.reserve(5 + post_ops.size());
  entry.argument(DNNL_ARG_SRC, da);
  entry.argument(DNNL_ARG_WEIGHTS, db);
  entry.argument(DNNL_ARG_DST, dc);
  if (bias != nullptr) entry.argument(DNNL_ARG_BIAS, descriptor(*bias));
  for (std::size_t i = 0; i < post_ops.size(); ++i) {
    if (post_ops[i].kind == PostOp::Kind::binary) {
      entry.argument(DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1,
                     descriptor(post_ops[i].operand));
    }
  }
  return finish(entry, pd);
}

}  // namespace

void matmul(const View& a, const View& b, const View& c, std::span<const PostOp> post_ops,
            const View* bias) {
  check_matmul(a, b, c);
  std::int64_t flops = 2 * a.dims[static_cast<std::size_t>(a.rank - 1)];
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.rank); ++i) elements *= c.dims[i];
  flops *= elements;
  if (elements == 0) return;
  if (flops == 0) {
    const bool adds = !post_ops.empty() && post_ops[0].kind == PostOp::Kind::sum;
    if (!adds) zero_view(c, c.data);
    return;
  }
  flops_of_thread += flops;
  Key key(Kind::matmul);
  key.put(a).put(b).put(c);
  if (bias != nullptr) key.put(std::int64_t{-1}).put(*bias);
  for (const PostOp& op : post_ops) {
    key.put(static_cast<std::int64_t>(op.kind));
    if (op.kind == PostOp::Kind::unary) {
      key.put(static_cast<std::int64_t>(op.unary)).put(op.alpha).put(op.beta);
    } else if (op.kind == PostOp::Kind::binary) {
      key.put(static_cast<std::int64_t>(op.binary)).put(op.operand);
    }
  }
  Entry& entry = entry_for(key, {&a, &b, &c},
                           [&](Entry& e) { return build_matmul(e, a, b, c, post_ops, bias); });
  if (bias == nullptr) {
    execute(entry, {a.data, b.data, c.data}, Kind::matmul, post_ops);
  } else {
    execute(entry, {a.data, b.data, c.data, bias->data}, Kind::matmul, post_ops);
  }
}

bool unary_keeps_result(Unary f, float alpha) {
  switch (f) {
    case Unary::relu:
    case Unary::exp:
    case Unary::sqrt:
    case Unary::sigmoid:
    case Unary::tanh:
      return true;
    case Unary::elu:
      return alpha >= 0;  // 0 stands for the default 1
    default:
      return false;
  }
}

void unary(Unary f, const Tensor& x, const Tensor& y, float alpha, float beta) {
  check_same("eltwise", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, flat(x));
  const View vy = view(y, flat(y));
  Key key(Kind::unary);
  key.put(static_cast<std::int64_t>(f)).put(alpha).put(beta).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const auto [a, b] = parameters(f, alpha, beta);
    const Desc desc = descriptor(vx);
    const auto pd = onednn::eltwise_pd(dnnl_algorithm(f, unary_keeps_result(f, alpha)), desc, a, b);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, desc);
    e.argument(DNNL_ARG_DST, desc);
    return finish(e, pd);
  });
  execute(entry, {vx.data, vy.data}, Kind::unary);
}

void unary_backward(Unary f, const Tensor& kept, const Tensor& dy, const Tensor& dx, float alpha,
                    float beta) {
  check_same("eltwise backward", kept, dy);
  check_same("eltwise backward", kept, dx);
  if (kept.numel() == 0) return;
  const View v = view(kept, flat(kept));
  Key key(Kind::unary_backward);
  key.put(static_cast<std::int64_t>(f)).put(alpha).put(beta).put(v);
  Entry& entry = entry_for(key, {&v}, [&](Entry& e) {
    const auto [a, b] = parameters(f, alpha, beta);
    const bool result = unary_keeps_result(f, alpha);
    const Desc desc = descriptor(v);
    const auto pd = onednn::eltwise_backward_pd(dnnl_algorithm(f, result), desc, a, b);
    e.memories.reserve(4);
    e.argument(result ? DNNL_ARG_DST : DNNL_ARG_SRC, desc);
    e.argument(DNNL_ARG_DIFF_DST, desc);
    e.argument(DNNL_ARG_DIFF_SRC, desc);
    return finish(e, pd);
  });
  execute(entry, {kept.raw(), dy.raw(), dx.raw()}, Kind::unary_backward);
}

void binary(Binary op, const Tensor& a, const Tensor& b, const Tensor& c) {
  check_same("binary", a, c);
  if (a.rank() != b.rank()) {
    fail(ErrorKind::shape, "binary: got ranks {} and {}, expected equal ones", a.shape().text(),
         b.shape().text());
  }
  for (int i = 0; i < a.rank(); ++i) {
    if (b.dim(i) != a.dim(i) && b.dim(i) != 1) {
      fail(ErrorKind::shape, "binary: {} does not broadcast to {}", b.shape().text(),
           a.shape().text());
    }
  }
  if (a.numel() == 0) return;
  const Joined shapes = join(a.shape(), b.shape());
  const View va = view(a, shapes.a);
  const View vb = view(b, shapes.b);
  const View vc = view(c, shapes.a);
  Key key(Kind::binary);
  key.put(static_cast<std::int64_t>(op)).put(va).put(vb).put(vc);
  Entry& entry = entry_for(key, {&va, &vb, &vc}, [&](Entry& e) {
    const Desc da = descriptor(va);
    const Desc db = descriptor(vb);
    const Desc dc = descriptor(vc);
    const auto pd =
        onednn::make_pd<dnnl::binary>(onednn::make_attr(), dnnl_algorithm(op), da, db, dc);
    e.memories.reserve(4);
    e.argument(DNNL_ARG_SRC_0, da);
    e.argument(DNNL_ARG_SRC_1, db);
    e.argument(DNNL_ARG_DST, dc);
    return finish(e, pd);
  });
  execute(entry, {va.data, vb.data, vc.data}, Kind::binary);
}

namespace {

dnnl::algorithm softmax_algorithm(SoftmaxKind kind) {
  return kind == SoftmaxKind::softmax ? dnnl::algorithm::softmax_accurate
                                      : dnnl::algorithm::softmax_log;
}

onednn::SoftmaxForward::primitive_desc softmax_pd(SoftmaxKind kind, const Desc& x, const Desc& y) {
  return onednn::make_pd<onednn::SoftmaxForward>(
      onednn::make_attr(), dnnl::prop_kind::forward_training, softmax_algorithm(kind), x, y, 1);
}

}  // namespace

void softmax(SoftmaxKind kind, const Tensor& x, const Tensor& y) {
  check_same("softmax", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vy = view(y, rows(y));
  Key key(Kind::softmax);
  key.put(static_cast<std::int64_t>(kind)).put(vx).put(vy);
  Entry& entry = entry_for(key, {&vx, &vy}, [&](Entry& e) {
    const Desc dx = descriptor(vx);
    const Desc dy = descriptor(vy);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, dx);
    e.argument(DNNL_ARG_DST, dy);
    return finish(e, softmax_pd(kind, dx, dy));
  });
  execute(entry, {x.raw(), y.raw()}, Kind::softmax);
}

void softmax_backward(SoftmaxKind kind, const Tensor& y, const Tensor& dy, const Tensor& dx) {
  check_same("softmax backward", y, dy);
  check_same("softmax backward", y, dx);
  if (y.numel() == 0) return;
  const View vy = view(y, rows(y));
  const View vdy = view(dy, rows(dy));
  const View vdx = view(dx, rows(dx));
  Key key(Kind::softmax_backward);
  key.put(static_cast<std::int64_t>(kind)).put(vy).put(vdy).put(vdx);
  Entry& entry = entry_for(key, {&vy, &vdy, &vdx}, [&](Entry& e) {
    const Desc result = descriptor(vy);
    const Desc diff_result = descriptor(vdy);
    const Desc diff_source = descriptor(vdx);
    const auto pd = onednn::make_backward_pd<onednn::SoftmaxBackward>(
        onednn::make_attr(), softmax_pd(kind, result, result), softmax_algorithm(kind), diff_source,
        diff_result, result, 1);
    e.memories.reserve(4);
    e.argument(DNNL_ARG_DST, result);
    e.argument(DNNL_ARG_DIFF_DST, diff_result);
    e.argument(DNNL_ARG_DIFF_SRC, diff_source);
    return finish(e, pd);
  });
  execute(entry, {y.raw(), dy.raw(), dx.raw()}, Kind::softmax_backward);
}

void layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps,
                const Tensor& y, const Tensor& mean, const Tensor& variance) {
  check_same("layer norm", x, y);
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vs = view(mean, Shape{mean.numel()});
  const View vg = view(gamma, Shape{gamma.numel()});
  Key key(Kind::layer_norm);
  key.put(eps).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const Desc data = descriptor(vx);
    const Desc statistics = descriptor(vs);
    const Desc scale = descriptor(vg);
    const auto pd = onednn::layer_norm_pd(data, statistics, eps);
    e.memories.reserve(7);
    e.argument(DNNL_ARG_SRC, data);
    e.argument(DNNL_ARG_DST, data);
    e.argument(DNNL_ARG_MEAN, statistics);
    e.argument(DNNL_ARG_VARIANCE, statistics);
    e.argument(DNNL_ARG_SCALE, scale);
    e.argument(DNNL_ARG_SHIFT, scale);
    return finish(e, pd);
  });
  execute(entry, {x.raw(), y.raw(), mean.raw(), variance.raw(), gamma.raw(), beta.raw()},
          Kind::layer_norm);
}

void layer_norm_backward(const Tensor& x, const Tensor& gamma, const Tensor& mean,
                         const Tensor& variance, float eps, const Tensor& dy, const Tensor& dx,
                         const Tensor& dgamma, const Tensor& dbeta) {
  check_same("layer norm backward", x, dy);
  if (x.numel() == 0) {
    dgamma.zero();
    dbeta.zero();
    return;
  }
  const View vx = view(x, rows(x));
  const View vs = view(mean, Shape{mean.numel()});
  const View vg = view(gamma, Shape{gamma.numel()});
  Key key(Kind::layer_norm_backward);
  key.put(eps).put(vx);
  Entry& entry = entry_for(key, {&vx}, [&](Entry& e) {
    const Desc data = descriptor(vx);
    const Desc statistics = descriptor(vs);
    const Desc scale = descriptor(vg);
    const auto pd = onednn::layer_norm_backward_pd(data, statistics, eps);
    e.memories.reserve(10);
    e.argument(DNNL_ARG_SRC, data);
    e.argument(DNNL_ARG_MEAN, statistics);
    e.argument(DNNL_ARG_VARIANCE, statistics);
    e.argument(DNNL_ARG_SCALE, scale);
    e.argument(DNNL_ARG_SHIFT, scale);  // asked for by 2.6, but not read
    e.argument(DNNL_ARG_DIFF_DST, data);
    e.argument(DNNL_ARG_DIFF_SRC, data);
    e.argument(DNNL_ARG_DIFF_SCALE, scale);
    e.argument(DNNL_ARG_DIFF_SHIFT, scale);
    return finish(e, pd);
  });
  execute(entry,
          {x.raw(), mean.raw(), variance.raw(), gamma.raw(), gamma.raw(), dy.raw(), dx.raw(),
           dgamma.raw(), dbeta.raw()},
          Kind::layer_norm_backward);
}

void copy(const View& from, const View& to) {
  bool same = from.rank == to.rank;
  std::int64_t elements = 1;
  for (std::size_t i = 0; same && i < static_cast<std::size_t>(from.rank); ++i) {
    same = from.dims[i] == to.dims[i];
    elements *= from.dims[i];
  }
  if (!same) {
    fail(ErrorKind::shape, "copy: got {} and {}, expected equal shapes", text(from), text(to));
  }
  if (elements == 0) return;
  Key key(Kind::copy);
  key.put(from).put(to);
  Entry& entry = entry_for(key, {&from, &to}, [&](Entry& e) {
    const Desc source = descriptor(from);
    const Desc target = descriptor(to);
    const dnnl::reorder::primitive_desc pd(onednn::cpu(), source, onednn::cpu(), target,
                                           onednn::make_attr());
    e.memories.reserve(3);
    e.argument(DNNL_ARG_FROM, source);
    e.argument(DNNL_ARG_TO, target);
    return finish(e, pd);
  });
  execute(entry, {from.data, to.data}, Kind::copy);
}

void reduce_rows(Reduction kind, const Tensor& x, const Tensor& y) {
  if (x.numel() == 0) return;
  const View vx = view(x, rows(x));
  const View vy = view(y, Shape{y.numel(), 1});
  Key key(Kind::reduce);
  key.put(static_cast<std::int64_t>(kind)).put(vx).put(vy);
  Entry& entry = entry_for(key, {&vx, &vy}, [&](Entry& e) {
    const Desc source = descriptor(vx);
    const Desc target = descriptor(vy);
    const auto algorithm =
        kind == Reduction::sum ? dnnl::algorithm::reduction_sum : dnnl::algorithm::reduction_max;
    const auto pd = onednn::make_pd<dnnl::reduction>(onednn::make_attr(), algorithm, source, target,
                                                     0.0F, 0.0F);
    e.memories.reserve(3);
    e.argument(DNNL_ARG_SRC, source);
    e.argument(DNNL_ARG_DST, target);
    return finish(e, pd);
  });
  execute(entry, {vx.data, vy.data}, Kind::reduce);
}

std::vector<Compiled> compiled() {
  const std::scoped_lock lock(compiled_mutex);
  return compiled_list();
}

std::vector<std::string> reference_kernels() {
  std::vector<std::string> found;
  for (const Compiled& c : compiled()) {
    if (c.implementation.find("ref") == std::string::npos) continue;
    found.push_back(c.operation + " " + c.implementation + " " + c.shapes);
  }
  return found;
}

void forget_compiled() {
  const std::scoped_lock lock(compiled_mutex);
  compiled_list().clear();
}

std::int64_t executed_flops() { return flops_of_thread; }
void add_flops(std::int64_t flops) { flops_of_thread += flops; }

void release_scratchpad() {
  cache().scratchpad.reset();
  cache().scratchpad_bytes = 0;
}

void clear_thread_cache() { cache() = ThreadCache(); }

}  // namespace lra::engine::primitives
