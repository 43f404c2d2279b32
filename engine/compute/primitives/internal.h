#pragma once
// Shared internals of the primitives: compiled primitives and their cache, and names of oneDNN.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/compute/onednn.h"
#include "engine/compute/primitives/primitives.h"

namespace lra::engine::primitives {

using onednn::Desc;
using onednn::Dims;

// view.cpp
[[nodiscard]] Desc descriptor(const View& v);
[[nodiscard]] std::string text(const View& v);
[[nodiscard]] Shape flat(const Tensor& t);  // [numel]
[[nodiscard]] Shape rows(const Tensor& t);  // [rows, C]
void check_same(const char* where, const Tensor& a, const Tensor& b);

// elementwise.cpp
[[nodiscard]] dnnl::algorithm dnnl_algorithm(Unary f, bool keep_result);
[[nodiscard]] dnnl::algorithm dnnl_algorithm(Binary op);
// oneDNN's parameters of functions that have fixed ones.
[[nodiscard]] std::pair<float, float> parameters(Unary f, float alpha, float beta);

// cache.cpp
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

// Key of a compiled primitive.
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

// The thread's entry for a key; null if there is none.
[[nodiscard]] Entry* find_entry(const Key& key);
// Builds the entry; the views describe its operands in errors and in the list of compiled
// primitives.
Entry& add_entry(const Key& key, std::initializer_list<const View*> views,
                 const std::function<std::string(Entry&)>& build);

// Finds or builds the entry of a key. `build` fills the entry and returns the implementation's
// name.
template <class Build>
Entry& entry_for(const Key& key, std::initializer_list<const View*> views, Build build) {
  Entry* found = find_entry(key);
  return found != nullptr ? *found : add_entry(key, views, build);
}

// Fills in the common arguments of all primitives after the specific ones.
template <class PrimitiveDesc>
std::string finish(Entry& entry, const PrimitiveDesc& pd) {
  entry.primitive = dnnl::primitive(pd.get());
  const Desc scratchpad = pd.scratchpad_desc();
  entry.scratchpad_bytes = scratchpad.get_size();
  if (entry.scratchpad_bytes > 0) entry.argument(DNNL_ARG_SCRATCHPAD, scratchpad);
  return pd.impl_info_str();
}

void execute(Entry& entry, std::initializer_list<const void*> data, Kind kind,
             std::span<const PostOp> post_ops = {});

}  // namespace lra::engine::primitives
