#include "tools/python/attention_module.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <utility>

#include "engine/runtime.h"

namespace lra::python {

using attention::Input;
using engine::DType;
using engine::Shape;
using engine::Tensor;
using engine::Value;

namespace {

// Sequence b of an array [B, ...].
Tensor sequence_of(const Array& array, std::int64_t b) {
  const Shape shape(array.shape.dims().subspan(1));
  Tensor tensor(shape, DType::f32);
  std::copy_n(array.data + b * shape.numel(), shape.numel(), tensor.f32());
  return tensor;
}

// [B] tensors of one shape as one tensor [B, ...].
Tensor stacked(const std::vector<const Tensor*>& tensors) {
  std::vector<std::int64_t> dims{static_cast<std::int64_t>(tensors.size())};
  const auto inner = tensors.front()->shape().dims();
  dims.insert(dims.end(), inner.begin(), inner.end());
  Tensor all{Shape(std::span<const std::int64_t>(dims)), DType::f32};
  float* to = all.f32();
  for (const Tensor* tensor : tensors) {
    to = std::copy_n(tensor->f32(), tensor->numel(), to);
  }
  return all;
}

void require_shape(const std::string& variant, const char* what, const Shape& got,
                   const Shape& expected, const char* letters) {
  if (got == expected) return;
  fail(ErrorKind::shape, "attention {}: {}; got {}, expected {} {}", variant, what, got.text(),
       letters, expected.text());
}

std::vector<std::int64_t> real_rows(const std::string& variant, const char* what,
                                    const std::vector<std::int64_t>& given, std::int64_t sequences,
                                    std::int64_t rows) {
  if (given.empty()) return std::vector<std::int64_t>(static_cast<std::size_t>(sequences), rows);
  if (static_cast<std::int64_t>(given.size()) != sequences) {
    fail(ErrorKind::shape,
         "attention {}: {}; got {} numbers, expected one for each of {} sequences", variant, what,
         given.size(), sequences);
  }
  for (const std::int64_t length : given) {
    if (length < 0 || length > rows) {
      fail(ErrorKind::shape, "attention {}: {}; got {}, expected 0..{}", variant, what, length,
           rows);
    }
  }
  return given;
}

}  // namespace

AttentionModule::AttentionModule(const std::string& name, const nlohmann::json& options,
                                 const attention::Dimensions& dimensions, std::uint64_t seed)
    : name_(attention::registry().canonical(name)),
      traits_(attention::registry().at(name).traits),
      options_(attention::resolved_options(name, options)),
      dimensions_(dimensions),
      attention_(attention::create(name, options)) {
  for (const auto& [what, size] : {std::pair{"heads", dimensions.heads},
                                   {"head_dim", dimensions.head_dim},
                                   {"width", dimensions.width},
                                   {"max_length", dimensions.max_length},
                                   {"layers", dimensions.layers - dimensions.layer}}) {
    if (size < 1) {
      fail(ErrorKind::config, "attention {}: {}; got {}, expected at least 1", name_, what, size);
    }
  }
  attention_->build({parameters_, ""}, dimensions_);
  parameters_.initialise(seed, DType::f32);
  needs_x_ = traits_.input != Input::block && reads_block_input();
}

std::vector<std::string> AttentionModule::input_names() const {
  if (traits_.input == Input::block) return {"x"};
  std::vector<std::string> names{"q", "k", "v"};
  if (traits_.input == Input::shared_qk) names = {"qk", "v"};
  if (needs_x_) names.emplace_back("x");
  return names;
}

// Tested on a few random rows: a gradient reaches x only if the variant uses it.
bool AttentionModule::reads_block_input() const {
  const std::int64_t n = std::min<std::int64_t>(dimensions_.max_length, 13);
  const engine::WorkerScope worker;
  const Tensor sums = Tensor::zeros({std::max<std::int64_t>(1, parameters_.flat_size())});
  const engine::ParameterScope scope(parameters_, sums);
  engine::Tape tape;
  std::map<std::string, Value> leaves;
  const bool shared = traits_.input == Input::shared_qk;
  for (const char* name : {"q", "k", "qk", "v", "x"}) {
    const Shape shape = *name == 'x' ? Shape{n, dimensions_.width}
                                     : Shape{dimensions_.heads, n, dimensions_.head_dim};
    RandomStream random(RandomKey(0).of(name));
    const Tensor tensor(shape, DType::f32);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.f32()[i] = static_cast<float>(random.normal());
    }
    leaves[name] = tape.leaf(tensor);
  }
  if (shared) leaves["q"] = leaves["k"] = leaves["qk"];
  std::map<std::string, Value> carried;
  attention::Context context;
  context.length = n;
  context.carried = &carried;
  const Value out = forward(leaves, n, n, context);
  tape.backward(out);
  return leaves.at("x").gradient()->value().defined();
}

AttentionModule::Sizes AttentionModule::check(const AttentionCall& call) const {
  const auto names = input_names();
  for (const std::string& name : names) {
    if (call.inputs.count(name) == 0) {
      fail(ErrorKind::usage, "attention {}: no input {}; expected {}", name_, name,
           fmt::join(names, ", "));
    }
  }
  for (const auto& [name, array] : call.inputs) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      fail(ErrorKind::usage, "attention {}: input {} is not taken; expected {}", name_, name,
           fmt::join(names, ", "));
    }
    const int rank = name == "x" ? 3 : 4;
    if (array.shape.rank() != rank) {
      fail(ErrorKind::shape, "attention {}: {}; got {}, expected {}", name_, name,
           array.shape.text(), rank == 3 ? "[B, N, E]" : "[B, H, N, D]");
    }
  }
  const attention::Dimensions& d = dimensions_;
  const Array& first = call.inputs.at(names.front());
  const Array& values = call.inputs.at(traits_.input == Input::block ? "x" : "v");
  Sizes s;
  s.sequences = first.shape[0];
  s.queries = first.shape[-2];
  s.keys = traits_.input == Input::heads ? values.shape[2] : s.queries;
  if (s.sequences < 1 || s.queries < 1 || s.keys < 1 || values.shape[-1] < 1) {
    fail(ErrorKind::shape, "attention {}: empty inputs; got {} {}", name_, names.front(),
         first.shape.text());
  }
  if (traits_.input != Input::block) {
    const char* query = names.front().c_str();
    require_shape(name_, query, first.shape, {s.sequences, d.heads, s.queries, d.head_dim},
                  "[B, H, N, D]");
    require_shape(name_, "v", values.shape, {s.sequences, d.heads, s.keys, values.shape[3]},
                  "[B, H, M, Dv]");
    if (traits_.input == Input::heads) {
      require_shape(name_, "k", call.inputs.at("k").shape,
                    {s.sequences, d.heads, s.keys, d.head_dim}, "[B, H, M, D]");
    }
    if (s.queries != s.keys && !traits_.cross) {
      fail(ErrorKind::shape, "attention {}: {} queries and {} keys, expected the same number",
           name_, s.queries, s.keys);
    }
  }
  if (const auto x = call.inputs.find("x"); x != call.inputs.end()) {
    require_shape(name_, "x", x->second.shape, {s.sequences, s.queries, d.width}, "[B, N, E]");
  }
  if (std::max(s.queries, s.keys) > d.max_length) {
    fail(ErrorKind::shape, "attention {}: {} rows; expected at most max_length, {}", name_,
         std::max(s.queries, s.keys), d.max_length);
  }
  s.real = real_rows(name_, "lengths", call.lengths, s.sequences, s.queries);
  if (call.key_lengths.empty() && s.keys == s.queries) {
    s.known = s.real;
  } else {
    s.known = real_rows(name_, "key_lengths", call.key_lengths, s.sequences, s.keys);
  }
  if (s.known != s.real && !traits_.cross) {
    fail(ErrorKind::shape,
         "attention {}: key_lengths differ from lengths; expected the same numbers", name_);
  }
  if (!(call.dropout >= 0 && call.dropout < 1)) {
    fail(ErrorKind::config, "attention {}: dropout; got {}, expected 0 <= p < 1", name_,
         call.dropout);
  }
  return s;
}

void AttentionModule::check_parameters(const Arrays& parameters) const {
  for (const auto& [name, array] : parameters) {
    const auto* entry = parameters_.find(name);
    if (entry == nullptr) {
      std::vector<std::string> known;
      for (const auto& other : parameters_.entries()) known.push_back(other.name);
      throw Error(ErrorKind::usage, unknown_name_message("parameter", name, known));
    }
    require_shape(name_, name.c_str(), array.shape, entry->shape, "the parameter's");
  }
}

Value AttentionModule::forward(const std::map<std::string, Value>& leaves, std::int64_t length,
                               std::int64_t key_length, const attention::Context& context) const {
  if (traits_.input == Input::block) return attention::mix(*attention_, leaves.at("x"), context);
  const bool shared = traits_.input == Input::shared_qk;
  const Value& q = leaves.at(shared ? "qk" : "q");
  const auto x = leaves.find("x");
  const attention::Heads heads{
      q,
      shared ? q : leaves.at("k"),
      leaves.at("v"),
      length,
      key_length,
      x != leaves.end() ? x->second : Value(Tensor::zeros({q.dim(1), dimensions_.width})),
      {}};
  return attention::attend(*attention_, heads, context);
}

AttentionModule::Sequence AttentionModule::run_sequence(const AttentionCall& call,
                                                        const Sizes& sizes, std::int64_t b) const {
  const engine::WorkerScope worker;
  const bool backward = call.upstream.data != nullptr;
  Sequence result;
  if (backward) result.sums = Tensor::zeros({std::max<std::int64_t>(1, parameters_.flat_size())});
  const engine::ParameterScope scope(parameters_, result.sums);
  std::unique_ptr<engine::Tape> tape;
  if (backward) tape = std::make_unique<engine::Tape>();
  std::map<std::string, Value> leaves;
  for (const auto& [name, array] : call.inputs) {
    Tensor tensor = sequence_of(array, b);
    leaves[name] = tape ? tape->leaf(std::move(tensor)) : Value(std::move(tensor));
  }
  const auto at = static_cast<std::size_t>(b);
  const auto layer = static_cast<std::uint64_t>(dimensions_.layer);
  std::map<std::string, Value> carried;
  attention::Context context;
  context.length = sizes.real[at];
  context.training = call.training;
  context.dropout = call.training ? call.dropout : 0.0;
  context.call = RandomKey(call.seed).of("call").of(static_cast<std::uint64_t>(b)).of(layer);
  context.fixed = RandomKey(call.seed).of("fixed").of("attention").of(layer);
  context.carried = &carried;
  const Value out = forward(leaves, sizes.real[at], sizes.known[at], context);
  result.out = out.tensor();
  if (!tape) return result;
  const Shape expected(call.upstream.shape.dims().subspan(1));
  require_shape(name_, "grad_out", expected, out.shape(), "the output's");
  tape->backward(out, sequence_of(call.upstream, b));
  for (const auto& [name, leaf] : leaves) {
    const Tensor& gradient = leaf.gradient()->value();
    result.gradients[name] = gradient.defined() ? gradient : Tensor::zeros(leaf.shape());
  }
  return result;
}

AttentionResult AttentionModule::run(const AttentionCall& call, harness::Workers& workers) {
  const Sizes sizes = check(call);
  check_parameters(call.parameters);
  if (call.upstream.data != nullptr &&
      (call.upstream.shape.rank() < 2 || call.upstream.shape[0] != sizes.sequences)) {
    fail(ErrorKind::shape, "attention {}: grad_out; got {}, expected the output's shape", name_,
         call.upstream.shape.text());
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [name, array] : call.parameters) {
    const Tensor to = parameters_.tensor(*parameters_.find(name));
    std::copy_n(array.data, to.numel(), to.f32());
  }
  std::vector<Sequence> sequences(static_cast<std::size_t>(sizes.sequences));
  workers.execute([&] {
    tbb::parallel_for(std::size_t{0}, sequences.size(), [&](std::size_t b) {
      sequences[b] = run_sequence(call, sizes, static_cast<std::int64_t>(b));
    });
  });
  const auto gather = [&](const auto& of) {
    std::vector<const Tensor*> tensors;
    for (const Sequence& sequence : sequences) tensors.push_back(&of(sequence));
    return stacked(tensors);
  };
  AttentionResult result;
  result.out = gather([](const Sequence& s) -> const Tensor& { return s.out; });
  if (call.upstream.data == nullptr) return result;
  for (const auto& [input, gradient] : sequences.front().gradients) {
    const std::string& name = input;
    result.gradients[name] =
        gather([&](const Sequence& s) -> const Tensor& { return s.gradients.at(name); });
  }
  for (const auto& entry : parameters_.entries()) {
    const Tensor sum = Tensor::zeros(entry.shape);
    for (const Sequence& sequence : sequences) {
      const float* from = sequence.sums.f32() + entry.offset;
      for (std::int64_t i = 0; i < entry.size; ++i) sum.f32()[i] += from[i];
    }
    result.gradients[entry.name] = sum;
  }
  return result;
}

}  // namespace lra::python
