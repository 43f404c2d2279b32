// Golden cases of attention variants: tensors of the file become heads, the block's input,
// parameters, draws or further inputs by their names; each sequence runs separately.

#include <algorithm>
#include <array>

#include "attention/attention.h"
#include "engine/runtime.h"
#include "harness/check/golden_cases.h"
#include "harness/check/golden_layout.h"
#include "harness/check/golden_optional.h"

namespace lra::harness {
namespace {

using engine::DType;
using engine::Parameters;
using engine::Shape;
using engine::Tensor;
using engine::Value;
using nlohmann::json;

std::vector<std::int64_t> without_ones(const Shape& shape) {
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  std::erase(dims, 1);
  return dims;
}

class AttentionCase {
 public:
  AttentionCase(const GoldenFile& file, const GoldenCase& c, std::string_view variant, DType type)
      : file_(file),
        case_(c),
        variant_(variant),
        type_(type),
        traits_(attention::registry().at(variant).traits),
        sizes_(read_sizes(c)) {}

  [[nodiscard]] GoldenComputed run() {
    GoldenComputed result;
    options_ = attention::registry().at(variant_).create()->golden_options(case_.hyper);
    if (case_.optional) {
      look_for_the_unoffered(file_, case_, variant_, options_, result);
      if (!result.not_offered.empty()) return result;
    }
    build();
    result.outputs = zeros_like(case_.expected);
    result.gradients = zeros_like(case_.grad);
    const engine::WorkerScope worker;
    for (std::int64_t b = 0; b < sizes_.B; ++b) run_sequence(b, result);
    return result;
  }

 private:
  // Files do not state the longest sequence that parameters are made for: it is the smallest
  // length with which their shapes fit.
  void build() {
    std::vector<std::int64_t> lengths;
    for (const char* key : {"max_length", "max_positions"}) {
      if (const auto it = case_.hyper.find(key); it != case_.hyper.end() && it->is_number_integer())
        lengths.push_back(it->get<std::int64_t>());
    }
    std::int64_t longest = std::max(sizes_.N, sizes_.M);
    const std::int64_t shortest = longest;
    for (const auto& [name, tensor] : case_.inputs) {
      for (const std::int64_t size : tensor.shape.dims()) longest = std::max(longest, size);
    }
    for (std::int64_t length = shortest; length <= longest; ++length) lengths.push_back(length);
    std::string misfit;
    for (const std::int64_t length : lengths) {
      build(length);
      const std::string found = first_misfit();
      if (found.empty()) {
        parameters_.initialise(0, type_);
        return;
      }
      if (misfit.empty()) misfit = found;
    }
    fail(ErrorKind::data, "golden: {}", misfit);
  }

  void build(std::int64_t max_length) {
    attention::Dimensions d;
    d.heads = sizes_.heads;
    d.head_dim = sizes_.head_dim;
    d.width = sizes_.width;
    d.max_length = max_length;
    d.cls = case_.hyper.value("cls", json(false)) == true;
    d.layer = number("layer", 0);
    d.layers = number("layers", d.layer + 1);
    attention_ = attention::create(variant_, options_);
    parameters_ = Parameters();
    attention_->build({parameters_, ""}, d);
  }

  // A count from the case, or its default.
  [[nodiscard]] std::int64_t number(const char* key, std::int64_t otherwise) const {
    const auto it = case_.hyper.find(key);
    return it != case_.hyper.end() && it->is_number_integer() ? it->get<std::int64_t>() : otherwise;
  }

  // An input named like a parameter has its shape (ignoring axes of size 1), or holds one tensor of
  // this shape per sequence.
  [[nodiscard]] static bool shared(const GoldenTensor& input, const Parameters::Entry& entry) {
    return without_ones(input.shape) == without_ones(entry.shape);
  }
  [[nodiscard]] std::string first_misfit() const {
    for (const auto& [name, input] : case_.inputs) {
      const auto* entry = parameters_.find(name);
      if (entry == nullptr || is_token_input(name) || shared(input, *entry)) continue;
      if (input.shape.rank() > 1 && input.shape[0] == sizes_.B &&
          Shape(input.shape.dims().subspan(1)) == entry->shape) {
        continue;
      }
      return fmt::format("input {} has shape {}, expected {} as the parameter", name,
                         input.shape.text(), entry->shape.text());
    }
    return {};
  }

  void set_parameters(std::int64_t b) {
    for (const auto& [name, input] : case_.inputs) {
      const auto* entry = parameters_.find(name);
      if (entry == nullptr || is_token_input(name)) continue;
      const GoldenTensor value = shared(input, *entry) ? input : input.slice(b);
      std::copy(value.data.begin(), value.data.end(), parameters_.tensor(*entry).f32());
    }
    parameters_.refresh();
  }

  // The file describes layouts in words: "fixed.global [B,N]" is one row per sequence.
  [[nodiscard]] bool per_sequence(const std::string& name, const GoldenTensor& tensor) const {
    if (tensor.shape.rank() == 0 || tensor.shape[0] != sizes_.B) return false;
    const auto at = file_.convention.find(name + " [");
    if (at != std::string::npos) {
      return file_.convention.compare(at + name.size(), 3, " [B") == 0;
    }
    return tensor.shape.rank() > 1 && tensor.shape[1] == sizes_.N;
  }

  // `name` itself or, for name_0, name_1, ..., also this sequence's entry without the number.
  [[nodiscard]] std::map<std::string, Tensor> draws(std::int64_t b) const {
    std::map<std::string, Tensor> all;
    const std::string suffix = fmt::format("_{}", b);
    for (const auto& [name, tensor] : case_.fixed) {
      const Tensor value =
          (per_sequence(name, tensor) ? tensor.slice(b) : tensor).tensor(DType::f32);
      all[name] = value;
      if (name.ends_with(suffix)) all[name.substr(0, name.size() - suffix.size())] = value;
    }
    return all;
  }

  void set_lengths(std::int64_t b, attention::Heads& heads) const {
    heads.length = sizes_.N;
    heads.key_length = sizes_.M;
    if (!case_.masked) return;
    const auto rows = static_cast<std::int64_t>(case_.lengths.size());
    if (rows != sizes_.B || (case_.mask_columns != sizes_.N && case_.mask_columns != sizes_.M)) {
      fail(ErrorKind::data, "golden: mask has shape [{}, {}], expected [{}, {}]", rows,
           case_.mask_columns, sizes_.B, sizes_.N);
    }
    const std::int64_t length = case_.lengths[static_cast<std::size_t>(b)];
    if (case_.mask_columns == sizes_.N) heads.length = length;
    if (case_.mask_columns == sizes_.M) heads.key_length = length;
  }

  void run_sequence(std::int64_t b, GoldenComputed& result) {
    set_parameters(b);
    const Tensor sums = Tensor::zeros({std::max<std::int64_t>(1, parameters_.flat_size())});
    const engine::ParameterScope scope(parameters_, sums);
    engine::Tape tape;
    std::map<std::string, Value> leaves;
    for (const auto& [name, input] : case_.inputs) {
      if (!is_token_input(name) && parameters_.find(name) != nullptr) continue;
      if (is_projection(name)) {
        leaves[name] = tape.leaf(input.tensor(type_));
        continue;
      }
      if (input.shape[0] != sizes_.B) {
        fail(ErrorKind::data, "golden: input {} has shape {}, expected {} sequences", name,
             input.shape.text(), sizes_.B);
      }
      leaves[name] = tape.leaf(input.slice(b).tensor(type_));
    }
    std::map<std::string, Tensor> drawn = draws(b);
    std::map<std::string, Value> carried;
    attention::Heads heads = make_heads(leaves);
    set_lengths(b, heads);
    attention::Context context;
    context.length = heads.length;
    context.draws = &drawn;
    context.carried = &carried;
    Value out;
    if (traits_.input == attention::Input::block) {
      carried = heads.given;
      out = attention::mix(*attention_, heads.x, context);
    } else {
      out = attention::attend(*attention_, heads, context);
      if (around_heads(case_, traits_)) {
        out = engine::linear(engine::merge_heads(out), engine::transpose(leaves.at("Wo")), {});
      }
    }
    tape.backward(take_outputs(b, out, carried, context.length == 0, result));
    take_gradients(b, leaves, sums, result);
  }

  // A weight of a block around heads: one for all sequences, and no parameter of the variant.
  [[nodiscard]] bool is_projection(const std::string& name) const {
    constexpr std::array<const char*, 6> kNames{"Wq", "Wk", "Wv", "Wo", "Wf", "Wi"};
    return around_heads(case_, traits_) && parameters_.find(name) == nullptr &&
           std::find(kNames.begin(), kNames.end(), name) != kNames.end();
  }

  // The heads projected from the input of a block.
  void project(const std::map<std::string, Value>& leaves, attention::Heads& heads) const {
    const auto projected = [&](const char* name, const char* other) {
      const auto found = leaves.find(leaves.count(name) != 0 ? name : other);
      if (found == leaves.end() || found->second.rank() != 2) {
        fail(ErrorKind::data, "golden: input {} [out, in] of a block is missing", name);
      }
      const Value y = engine::linear(heads.x, engine::transpose(found->second), {});
      return engine::split_heads(y, 1, sizes_.heads).front();
    };
    heads.q = projected("Wq", "Wq");
    heads.k = projected("Wk", "Wf");
    heads.v = projected("Wv", "Wi");
    if (leaves.count("Wo") == 0) fail(ErrorKind::data, "golden: input Wo of a block is missing");
  }

  [[nodiscard]] attention::Heads make_heads(const std::map<std::string, Value>& leaves) const {
    attention::Heads heads;
    const auto rows = [](const Value& x) {  // [N, E] -> one head [1, N, E]
      return x.rank() == 2 ? engine::reshape(x, {1, x.dim(0), x.dim(1)}) : x;
    };
    for (const auto& [name, leaf] : leaves) {
      if (name == "x") {
        heads.x = leaf;
      } else if (name == "qk") {
        heads.q = heads.k = rows(leaf);
      } else if (name == "q") {
        heads.q = rows(leaf);
      } else if (name == "k") {
        heads.k = rows(leaf);
      } else if (name == "v") {
        heads.v = rows(leaf);
      } else if (!is_projection(name)) {
        heads.given[name] = leaf;
      }
    }
    if (traits_.input == attention::Input::block) {
      if (!heads.x.defined()) fail(ErrorKind::data, "golden: input x is missing");
      return heads;
    }
    if (around_heads(case_, traits_)) project(leaves, heads);
    if (!heads.v.defined()) fail(ErrorKind::data, "golden: input v is missing");
    // Some variants use only the values.
    if (!heads.q.defined()) heads.q = Value(Tensor::zeros(heads.v.shape(), type_));
    if (!heads.k.defined()) heads.k = Value(Tensor::zeros(heads.v.shape(), type_));
    return heads;
  }

  // Copies the outputs of a sequence; returns them with their upstream gradients.
  [[nodiscard]] std::vector<std::pair<Value, Tensor>> take_outputs(
      std::int64_t b, const Value& out, const std::map<std::string, Value>& carried, bool empty,
      GoldenComputed& result) const {
    std::vector<std::pair<Value, Tensor>> seeds;
    const std::string main = main_output();
    for (auto& [name, target] : result.outputs) {
      Value value = out;
      if (name != main) {
        // Further outputs are the values that the variant passes to the next layer.
        const auto found = carried.find(name);
        if (found == carried.end() && empty) continue;
        if (found == carried.end()) {
          fail(ErrorKind::data, "golden: the variant has no output '{}'", name);
        }
        value = found->second;
      }
      const Shape expected(target.shape.dims().subspan(1));
      if (value.rank() == 3 && expected.rank() == 2) value = engine::merge_heads(value);
      if (value.shape() != expected) {
        fail(ErrorKind::data, "golden: output {} has shape {}, expected {}", name,
             value.shape().text(), expected.text());
      }
      add_values(value.tensor(), target, b * expected.numel());
      if (const auto upstream = case_.grad_out.find(name); upstream != case_.grad_out.end()) {
        seeds.emplace_back(value, upstream->second.slice(b).tensor(value.dtype()));
      }
    }
    return seeds;
  }

  [[nodiscard]] std::string main_output() const {
    for (const char* name : {"out", "y"}) {
      if (case_.expected.count(name) != 0) return name;
    }
    return case_.expected.begin()->first;
  }

  void take_gradients(std::int64_t b, const std::map<std::string, Value>& leaves,
                      const Tensor& sums, GoldenComputed& result) const {
    for (auto& [name, target] : result.gradients) {
      if (const auto leaf = leaves.find(name); leaf != leaves.end()) {
        const Tensor& gradient = leaf->second.gradient()->value();
        const std::int64_t begin = is_projection(name) ? 0 : b * gradient.numel();
        if (gradient.defined()) add_values(gradient, target, begin);
        continue;
      }
      const auto* entry = parameters_.find(name);
      const Tensor gradient = sums.slice(entry->offset, entry->size);
      add_values(gradient, target, shared(target, *entry) ? 0 : b * entry->size);
    }
  }

  const GoldenFile& file_;
  const GoldenCase& case_;
  std::string variant_;
  DType type_;
  const attention::Traits& traits_;
  GoldenSizes sizes_;
  json options_;
  std::unique_ptr<attention::Attention> attention_;
  Parameters parameters_;
};

}  // namespace

GoldenComputed run_attention_case(const GoldenFile& file, const GoldenCase& c,
                                  std::string_view variant, DType type) {
  return AttentionCase(file, c, variant, type).run();
}

}  // namespace lra::harness
