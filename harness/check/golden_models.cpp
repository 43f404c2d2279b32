// Golden cases of parts of the model, run with the model's own classes. Files store an affine map
// as W [out, in]; the model stores [in, out] and the maps of q, k and v side by side.

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "engine/runtime.h"
#include "harness/check/golden_blocks.h"
#include "models/model.h"

namespace lra::harness {
namespace {

using engine::DType;
using engine::Parameters;
using engine::Tensor;
using engine::Value;
using nlohmann::json;

// Position of a tensor of the file among the model's parameters.
struct Place {
  std::string parameter;
  std::int64_t column = 0;  // of the parameter's last axis
  bool transposed = false;
};
using Places = std::map<std::string, Place>;

// Calls visit(element of the file's tensor, element of the parameter) for all elements.
template <class Visit>
void pair_elements(const GoldenTensor& tensor, const Parameters::Entry& entry, const Place& place,
                   const Visit& visit) {
  const std::int64_t size = tensor.shape.numel();
  const std::int64_t columns = entry.shape[-1];
  const bool fits =
      place.transposed
          ? tensor.shape.rank() == 2 && entry.shape.rank() == 2 &&
                tensor.shape[1] == entry.shape[0] && place.column + tensor.shape[0] <= columns
          : place.column + size <= entry.size && (entry.shape.rank() == 1 || size == entry.size);
  if (!fits) {
    fail(ErrorKind::data, "golden: a tensor of shape {} does not fit {} {}", tensor.shape.text(),
         entry.name, entry.shape.text());
  }
  if (!place.transposed) {
    for (std::int64_t i = 0; i < size; ++i) visit(i, place.column + i);
    return;
  }
  const std::int64_t in = tensor.shape[1];
  for (std::int64_t i = 0; i < size; ++i) visit(i, i % in * columns + place.column + i / in);
}

// Parameters whose values come from a case, and their gradients.
class Weights {
 public:
  Weights(const GoldenCase& c, Parameters& parameters, Places places, DType type)
      : places_(std::move(places)), parameters_(parameters) {
    parameters_.initialise(0, type);
    for (const auto& [name, input] : c.inputs) {
      const auto place = places_.find(name);
      if (place == places_.end()) continue;
      const auto& entry = find(name, place->second);
      float* values = parameters_.tensor(entry).f32();
      pair_elements(input, entry, place->second,
                    [&, &from = input](std::int64_t i, std::int64_t j) {
                      values[j] = static_cast<float>(from.data[static_cast<std::size_t>(i)]);
                    });
    }
    parameters_.refresh();
    sums_ = Tensor::zeros({parameters_.flat_size()});
  }

  [[nodiscard]] const Parameters& parameters() const { return parameters_; }
  [[nodiscard]] const Tensor& sums() const { return sums_; }

  // Adds the gradients of all placed inputs to `computed`.
  void take(GoldenComputed& computed) const {
    for (auto& [name, gradient] : computed.gradients) {
      const auto place = places_.find(name);
      if (place == places_.end()) continue;
      const auto& entry = find(name, place->second);
      const float* values = sums_.f32() + entry.offset;
      pair_elements(gradient, entry, place->second,
                    [&, &to = gradient](std::int64_t i, std::int64_t j) {
                      to.data[static_cast<std::size_t>(i)] += values[j];
                    });
    }
  }

 private:
  [[nodiscard]] const Parameters::Entry& find(const std::string& name, const Place& place) const {
    const auto* entry = parameters_.find(place.parameter);
    if (entry == nullptr) {
      fail(ErrorKind::data, "golden: input {} has no counterpart in the model", name);
    }
    return *entry;
  }

  Places places_;
  Parameters& parameters_;
  Tensor sums_;
};

// The places of a layer's tensors, named as in the file with `from` and in the model with `to` in
// front.
void add_layer_places(Places& places, const std::string& from, const std::string& to,
                      std::int64_t qkv_width) {
  const auto affine = [&](const std::string& name, const std::string& parameter,
                          std::int64_t column) {
    places[from + "W" + name] = {to + parameter + ".weight", column, true};
    places[from + "b" + name] = {to + parameter + ".bias", column, false};
  };
  affine("q", "attention.qkv", 0);
  affine("k", "attention.qkv", qkv_width);
  affine("v", "attention.qkv", 2 * qkv_width);
  affine("o", "attention.out", 0);
  affine("1", "ff1", 0);
  affine("2", "ff2", 0);
  for (const char* norm : {"1", "2"}) {
    places[fmt::format("{}ln{}_g", from, norm)] = {fmt::format("{}norm{}.weight", to, norm)};
    places[fmt::format("{}ln{}_b", from, norm)] = {fmt::format("{}norm{}.bias", to, norm)};
  }
}

void require_known_inputs(const GoldenCase& c, const Places& places,
                          std::initializer_list<const char*> others) {
  for (const auto& [name, input] : c.inputs) {
    if (places.count(name) == 0 && std::find(others.begin(), others.end(), name) == others.end()) {
      fail(ErrorKind::data, "golden: unknown input '{}'", name);
    }
  }
}

void assign(models::ModelConfig& config, const json& values) {
  table_of(config).assign(values, "golden");
}

std::int64_t length_of(const GoldenCase& c, std::int64_t b, std::int64_t N) {
  return c.masked ? c.lengths.at(static_cast<std::size_t>(b)) : N;
}

Tensor upstream(const GoldenCase& c, const std::string& name, std::int64_t b, const Value& value) {
  const auto found = c.grad_out.find(name);
  if (found == c.grad_out.end()) return Tensor::zeros(value.shape(), value.dtype());
  return found->second.slice(b).tensor(value.dtype()).reshaped(value.shape());
}

void take_leaf(const Value& leaf, GoldenComputed& computed, const std::string& name,
               std::int64_t b) {
  const Tensor& gradient = leaf.gradient()->value();
  if (gradient.defined()) add_values(gradient, computed.gradients.at(name), b * gradient.numel());
}

}  // namespace

GoldenComputed run_embedding(const GoldenCase& c, DType type) {
  const engine::WorkerScope worker;
  const GoldenTensor& table = required(c.inputs, "table", 2);
  const GoldenTensor& tokens = required(c.fixed, "token", 2);
  const std::string position = word(c, "position");
  const bool cls = c.inputs.count("cls") != 0;
  const std::int64_t N = tokens.shape[1];
  models::ModelConfig config;
  config.layers = 1;
  config.width = config.qkv_width = table.shape[1];
  config.heads = 1;
  models::ModelTask task;
  task.vocabulary = table.shape[0];
  task.max_length = N;
  if (c.inputs.count("pos") != 0) task.max_length = c.inputs.at("pos").shape[0] - (cls ? 1 : 0);
  assign(config, {{"positions", position.substr(0, position.find(','))},
                  {"pooling", cls ? "cls" : "mean"}});
  const Places places{{"table", {"embedding.tokens"}},
                      {"pos", {"embedding.positions"}},
                      {"cls", {"embedding.cls"}}};
  require_known_inputs(c, places, {});
  models::Model model(config, task, "softmax", json::object());
  const Weights weights(c, model.parameters(), places, type);
  GoldenComputed computed = make_computed(c);
  GoldenTensor& out = output(computed, "out");
  for (std::int64_t b = 0; b < tokens.shape[0]; ++b) {
    const std::vector<std::int32_t> row = integers(tokens.slice(b));
    const std::vector<std::uint16_t> ids(row.begin(), row.end());
    const engine::ParameterScope scope(weights.parameters(), weights.sums());
    engine::Tape tape;
    models::Pass pass;
    const Value rows = model.trace(ids, pass).front();
    const Value x = engine::slice(rows, 0, 0, pass.length);
    add_values(x.tensor(), out, b * x.tensor().numel());
    tape.backward(x, upstream(c, "out", b, x));
  }
  weights.take(computed);
  return computed;
}

GoldenComputed run_encoder_layer(const GoldenCase& c, DType type) {
  const engine::WorkerScope worker;
  const GoldenTensor& x = required(c.inputs, "x", 3);
  models::ModelConfig config;
  config.width = x.shape[2];
  config.heads = static_cast<std::int64_t>(number(c, "heads"));
  config.qkv_width = config.heads * static_cast<std::int64_t>(number(c, "head_dim"));
  config.ff_width = static_cast<std::int64_t>(number(c, "ffn"));
  config.norm_eps = number(c, "ln_eps");
  config.attention_bias = c.inputs.count("bq") != 0;
  assign(config, {{"norm", word(c, "norm")}, {"activation", word(c, "activation")}});
  Parameters parameters;
  attention::Dimensions d;
  d.heads = config.heads;
  d.head_dim = config.qkv_width / config.heads;
  d.width = config.width;
  d.max_length = x.shape[1];
  const models::EncoderLayer layer(config, parameters, "",
                                   attention::create("softmax", json::object()),
                                   attention::registry().at("softmax").traits, d);
  Places places;
  add_layer_places(places, "", "", config.qkv_width);
  require_known_inputs(c, places, {"x"});
  const Weights weights(c, parameters, places, type);
  GoldenComputed computed = make_computed(c);
  GoldenTensor& out = output(computed, "out");
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    const engine::ParameterScope scope(parameters, weights.sums());
    engine::Tape tape;
    const Value input = tape.leaf(x.slice(b).tensor(type));
    models::Pass pass;
    pass.length = length_of(c, b, x.shape[1]);
    const Value y = engine::mask_rows(layer(input, pass), pass.length);
    add_values(y.tensor(), out, b * y.tensor().numel());
    tape.backward(y, upstream(c, "out", b, y));
    take_leaf(input, computed, "x", b);
  }
  weights.take(computed);
  return computed;
}

namespace {

// A model of which only pooling and head are used.
models::ModelConfig head_config(const GoldenCase& c, std::int64_t width) {
  models::ModelConfig config;
  config.layers = 1;
  config.width = config.qkv_width = width;
  config.heads = 1;
  config.ff_width = required(c.inputs, "W1", 2).shape[0];
  config.head_layers = c.inputs.count("Wm") != 0 ? 2 : 1;
  const std::string pool = word(c, "pool");
  // The file's name tells the rows: masked_mean and masked_max are over the real rows.
  const std::string kind = pool.starts_with("masked_") ? pool.substr(7) : pool;
  assign(config, {{"pooling", kind}});
  return config;
}

Places head_places(const std::string& first) {
  return {{"W" + first, {"head.hidden0.weight", 0, true}},
          {"b" + first, {"head.hidden0.bias"}},
          {"Wm", {"head.hidden1.weight", 0, true}},
          {"bm", {"head.hidden1.bias"}}};
}

// Pools and classifies the rows of the inputs `names` (one, or two for a pair).
GoldenComputed run_head(const GoldenCase& c, const std::vector<std::string>& names,
                        const models::ModelConfig& config, DType type) {
  const engine::WorkerScope worker;
  const GoldenTensor& x = required(c.inputs, names.front(), 3);
  models::ModelTask task;
  task.head = names.size() == 2 ? Head::pair_class : Head::pooled_class;
  task.classes = required(c.inputs, "W2", 2).shape[0];
  task.max_length = x.shape[1];
  models::Model model(config, task, "softmax", json::object());
  Places places = head_places("1");
  places["W2"] = {"head.out.weight", 0, true};
  places["b2"] = {"head.out.bias"};
  require_known_inputs(c, places, {names.front().c_str(), names.back().c_str()});
  const Weights weights(c, model.parameters(), places, type);
  GoldenComputed computed = make_computed(c);
  GoldenTensor& out = output(computed, "out");
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    const engine::ParameterScope scope(weights.parameters(), weights.sums());
    engine::Tape tape;
    models::Pass pass;
    pass.length = length_of(c, b, x.shape[1]);
    std::vector<Value> leaves;
    std::vector<Value> pooled;
    for (const std::string& name : names) {
      leaves.push_back(tape.leaf(required(c.inputs, name, 3).slice(b).tensor(type)));
      pooled.push_back(model.pool(leaves.back(), pass));
    }
    const Value logits = model.classify(
        pooled.size() == 1 ? pooled[0]
                           : models::pair_features(config.pair_features, pooled[0], pooled[1]));
    add_values(logits.tensor(), out, b * task.classes);
    tape.backward(logits, upstream(c, "out", b, logits));
    for (std::size_t i = 0; i < names.size(); ++i) take_leaf(leaves[i], computed, names[i], b);
  }
  weights.take(computed);
  return computed;
}

std::string classifier_pooling(const std::string& pool) {
  // Zeroed at padding and averaged over all positions.
  if (pool == "MEAN") return "mean_zeroed";
  if (pool == "CLS") return "first";
  fail(ErrorKind::data, "golden: unknown pool '{}'", pool);
}

models::ModelConfig classifier_config(const GoldenCase& c, std::int64_t N) {
  models::ModelConfig config;
  config.layers = static_cast<std::int64_t>(number(c, "layers"));
  config.width = required(c.inputs, "table", 2).shape[1];
  config.heads = static_cast<std::int64_t>(number(c, "heads"));
  config.qkv_width = config.heads * static_cast<std::int64_t>(number(c, "head_dim"));
  config.ff_width = static_cast<std::int64_t>(number(c, "ffn"));
  config.norm_eps = number(c, "ln_eps");
  config.padded_length = N;
  config.attention_bias = c.inputs.count("l0_bq") != 0;
  assign(config,
         {{"activation", word(c, "activation")}, {"pooling", classifier_pooling(word(c, "pool"))}});
  return config;
}

Places classifier_places(const models::ModelConfig& config) {
  Places places = head_places("h1");
  places["table"] = {"embedding.tokens"};
  places["pos"] = {"embedding.positions"};
  places["lnf_g"] = {"final_norm.weight"};
  places["lnf_b"] = {"final_norm.bias"};
  places["Wh2"] = {"head.out.weight", 0, true};
  places["bh2"] = {"head.out.bias"};
  for (std::int64_t i = 0; i < config.layers; ++i) {
    add_layer_places(places, fmt::format("l{}_", i), fmt::format("layers.{}.", i),
                     config.qkv_width);
  }
  return places;
}

}  // namespace

GoldenComputed run_pool_head(const GoldenCase& c, DType type) {
  return run_head(c, {"x"}, head_config(c, required(c.inputs, "x", 3).shape[2]), type);
}

GoldenComputed run_dual_head(const GoldenCase& c, DType type) {
  models::ModelConfig config = head_config(c, required(c.inputs, "x1", 3).shape[2]);
  assign(config, {{"pair_features", word(c, "features")}});
  return run_head(c, {"x1", "x2"}, config, type);
}

GoldenComputed run_classifier(const GoldenCase& c, DType type) {
  const engine::WorkerScope worker;
  const GoldenTensor& tokens = required(c.fixed, "token", 2);
  const std::vector<std::int32_t> labels = integers(required(c.fixed, "label", 1));
  const std::int64_t B = tokens.shape[0];
  const models::ModelConfig config = classifier_config(c, tokens.shape[1]);
  models::ModelTask task;
  task.vocabulary = required(c.inputs, "table", 2).shape[0];
  task.classes = required(c.inputs, "Wh2", 2).shape[0];
  task.max_length = required(c.inputs, "pos", 2).shape[0];
  models::Model model(config, task, "softmax", json::object());
  const Places places = classifier_places(config);
  require_known_inputs(c, places, {});
  const Weights weights(c, model.parameters(), places, type);
  GoldenComputed computed = make_computed(c);
  for (std::int64_t b = 0; b < B; ++b) {
    const std::vector<std::int32_t> row = integers(tokens.slice(b));
    const std::vector<std::uint16_t> ids(row.begin(),
                                         row.begin() + length_of(c, b, tokens.shape[1]));
    const engine::ParameterScope scope(weights.parameters(), weights.sums());
    engine::Tape tape;
    const models::Pass pass;
    const Value logits = model.logits(ids, {}, pass);
    const Value loss = engine::cross_entropy(logits, {&labels.at(static_cast<std::size_t>(b)), 1},
                                             1.0F / static_cast<float>(B));
    add_values(logits.tensor(), output(computed, "logits"), b * task.classes);
    add_values(loss.tensor(), output(computed, "loss"));
    tape.backward(loss, required(c.grad_out, "loss", 1).tensor(DType::f32));
  }
  weights.take(computed);
  return computed;
}

}  // namespace lra::harness
