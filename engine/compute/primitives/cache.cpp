#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/compute/primitives/internal.h"
#include "engine/compute/profile.h"
#include "engine/tensor/memory.h"

namespace lra::engine::primitives {
namespace {

constexpr std::array<const char*, 10> kKindNames{
    "matmul",           "eltwise",    "eltwise backward",    "binary",  "softmax",
    "softmax backward", "layer norm", "layer norm backward", "reorder", "reduction"};

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

}  // namespace

Entry* find_entry(const Key& key) {
  ThreadCache& own = cache();
  const auto found = own.entries.find(key);
  return found == own.entries.end() ? nullptr : found->second.get();
}

Entry& add_entry(const Key& key, std::initializer_list<const View*> views,
                 const std::function<std::string(Entry&)>& build) {
  auto entry = std::make_unique<Entry>();
  const char* operation = kKindNames[static_cast<std::size_t>(key.kind())];
  std::string shapes;
  for (const View* v : views) shapes += (shapes.empty() ? "" : " ") + text(*v);
  try {
    // In oneDNN's own cache the second thread finds the primitive compiled by the first.
    static std::once_flag once;
    std::call_once(once, [] { dnnl::set_primitive_cache_capacity(16384); });
    std::string implementation = build(*entry);
    const std::scoped_lock lock(compiled_mutex);
    compiled_list().push_back({operation, std::move(implementation), std::move(shapes)});
  } catch (const dnnl::error& error) {
    fail(ErrorKind::backend, "oneDNN {}: {} (status {}); operands {}", operation, error.what(),
         static_cast<int>(error.status), shapes);
  }
  return *cache().entries.emplace(key, std::move(entry)).first->second;
}

void execute(Entry& entry, std::initializer_list<const void*> data, Kind kind,
             std::span<const PostOp> post_ops) {
  const profile::Scope scope(kKindNames[static_cast<std::size_t>(kind)]);
  std::size_t i = 0;
  // oneDNN takes non-const handles even for read-only memory.
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
