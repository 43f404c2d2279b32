// Golden cases of building blocks below the model: the engine's operations, the loss, learning-rate
// schedules and the optimiser.

#include "harness/check/golden_blocks.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "attention/attention.h"
#include "engine/ops.h"
#include "engine/runtime.h"
#include "models/encoder.h"
#include "models/optimizer.h"
#include "models/schedule.h"

namespace lra::harness {

using engine::DType;
using engine::Tensor;
using engine::Value;

GoldenTensors zeros_like(const GoldenTensors& tensors) {
  GoldenTensors zeros = tensors;
  for (auto& [name, tensor] : zeros) std::fill(tensor.data.begin(), tensor.data.end(), 0.0);
  return zeros;
}

void add_values(const Tensor& from, GoldenTensor& to, std::int64_t begin) {
  const std::vector<float> values = from.to_floats();
  if (begin + static_cast<std::int64_t>(values.size()) >
      static_cast<std::int64_t>(to.data.size())) {
    fail(ErrorKind::shape, "golden: {} values from {} on do not fit into {}", values.size(), begin,
         to.shape.text());
  }
  auto at = to.data.begin() + begin;
  for (const float value : values) *at++ += value;
}

const GoldenTensor& required(const GoldenTensors& tensors, std::string_view name, int rank) {
  const auto found = tensors.find(std::string(name));
  if (found == tensors.end()) fail(ErrorKind::data, "golden: tensor '{}' is missing", name);
  if (found->second.shape.rank() != rank) {
    fail(ErrorKind::data, "golden: tensor {} has shape {}, expected {} axes", name,
         found->second.shape.text(), rank);
  }
  return found->second;
}

std::vector<std::int32_t> integers(const GoldenTensor& tensor) {
  std::vector<std::int32_t> values;
  for (const double x : tensor.data) values.push_back(static_cast<std::int32_t>(x));
  return values;
}

GoldenTensor& output(GoldenComputed& computed, const std::string& name) {
  const auto found = computed.outputs.find(name);
  if (found == computed.outputs.end()) {
    fail(ErrorKind::data, "golden: expected.{} is missing", name);
  }
  return found->second;
}

GoldenComputed make_computed(const GoldenCase& c) {
  GoldenComputed computed;
  computed.outputs = zeros_like(c.expected);
  computed.gradients = zeros_like(c.grad);
  return computed;
}

namespace {

// Runs an operation whose inputs are all leaves and whose one result is `name`.
GoldenComputed run_operation(const GoldenCase& c, DType type, const std::string& name,
                             const std::function<Value(std::map<std::string, Value>&)>& operation) {
  const engine::WorkerScope worker;
  GoldenComputed computed = make_computed(c);
  engine::Tape tape;
  std::map<std::string, Value> leaves;
  for (const auto& [key, input] : c.inputs) leaves[key] = tape.leaf(input.tensor(type));
  const Value result = operation(leaves);
  add_values(result.tensor(), output(computed, name));
  if (const auto upstream = c.grad_out.find(name); upstream != c.grad_out.end()) {
    tape.backward(result, upstream->second.tensor(result.dtype()));
  }
  for (auto& [key, gradient] : computed.gradients) {
    const Tensor& value = leaves[key].gradient()->value();
    if (value.defined()) add_values(value, gradient);
  }
  return computed;
}

GoldenComputed run_layer_norm(const GoldenCase& c, DType type) {
  for (const char* name : {"gamma", "beta"}) required(c.inputs, name, 1);
  return run_operation(c, type, "out", [&](std::map<std::string, Value>& in) {
    const auto f32 = [](const Value& x) { return cast(x, DType::f32); };  // gains stay f32
    return engine::layer_norm(in["x"], f32(in["gamma"]), f32(in["beta"]),
                              static_cast<float>(number(c, "eps")));
  });
}

GoldenComputed run_activation(const GoldenCase& c, DType type) {
  static const std::map<std::string, Value (*)(const Value&)> functions{
      {"gelu_erf", engine::gelu_erf}, {"gelu_tanh", engine::gelu_tanh},
      {"relu", engine::relu},         {"elu_plus_one", engine::elu_plus_one},
      {"silu", engine::silu},         {"sigmoid", engine::sigmoid},
      {"tanh", engine::tanh},         {"softplus", engine::softplus},
      {"exp", engine::exp},           {"square", engine::square},
      {"sin", engine::sin},           {"cos", engine::cos},
      {"sqrt", engine::sqrt},         {"log", engine::log}};
  const std::string name = word(c, "f");
  const auto function = functions.find(name);
  if (function == functions.end()) fail(ErrorKind::data, "golden: unknown function '{}'", name);
  return run_operation(c, type, "out",
                       [&](std::map<std::string, Value>& in) { return function->second(in["x"]); });
}

GoldenComputed run_masked_softmax(const GoldenCase& c, DType type) {
  const GoldenTensor& allow = required(c.fixed, "allow", 2);
  const std::vector<float> values(allow.data.begin(), allow.data.end());
  return run_operation(c, type, "out", [&](std::map<std::string, Value>& in) {
    return engine::masked_softmax(in["s"], Tensor::from(allow.shape, values));
  });
}

// Losses are f32 in every precision.
GoldenComputed run_cross_entropy(const GoldenCase& c, DType) {
  const std::vector<std::int32_t> labels = integers(required(c.fixed, "label", 1));
  const GoldenTensor& logits = required(c.inputs, "logits", 2);
  const std::string reduction = word(c, "reduction");
  if (reduction != "mean" && reduction != "sum") {
    fail(ErrorKind::data, "golden: unknown reduction '{}'", reduction);
  }
  const float scale = reduction == "mean" ? 1.0F / static_cast<float>(labels.size()) : 1.0F;
  GoldenComputed computed =
      run_operation(c, DType::f32, "loss", [&](std::map<std::string, Value>& in) {
        return engine::cross_entropy(in["logits"], labels, scale);
      });
  if (const auto each = computed.outputs.find("per_example"); each != computed.outputs.end()) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      GoldenTensor one = logits.slice(row);
      const Value x(one.tensor(DType::f32).reshaped({1, logits.shape[1]}));
      add_values(engine::cross_entropy(x, {&labels[i], 1}, 1).tensor(), each->second, row);
    }
  }
  return computed;
}

// Sequences b of inputs as leaves; outputs and gradients back into the case's places.
GoldenComputed run_sequences(
    const GoldenCase& c, DType type, const std::set<std::string>& shared,
    const std::function<std::map<std::string, Value>(std::map<std::string, Value>&, std::int64_t)>&
        operation) {
  const engine::WorkerScope worker;
  GoldenComputed computed = make_computed(c);
  const std::int64_t B = required(c.inputs, c.inputs.count("q") != 0 ? "q" : "o", 4).shape[0];
  for (std::int64_t b = 0; b < B; ++b) {
    engine::Tape tape;
    std::map<std::string, Value> leaves;
    for (const auto& [key, input] : c.inputs) {
      const bool whole = shared.count(key) != 0;
      leaves[key] = tape.leaf((whole ? input : input.slice(b)).tensor(type));
    }
    std::vector<std::pair<Value, Tensor>> seeds;
    for (const auto& [name, value] : operation(leaves, b)) {
      add_values(value.tensor(), output(computed, name), b * value.tensor().numel());
      if (const auto upstream = c.grad_out.find(name); upstream != c.grad_out.end()) {
        seeds.emplace_back(value, upstream->second.slice(b).tensor(value.dtype()));
      }
    }
    tape.backward(seeds);
    for (auto& [key, gradient] : computed.gradients) {
      const Tensor& value = leaves[key].gradient()->value();
      if (!value.defined()) continue;
      add_values(value, gradient, shared.count(key) != 0 ? 0 : b * value.numel());
    }
  }
  return computed;
}

// softmax(D^-1/2 q k^T) v of one sequence; rows of padded queries are 0.
Value softmax_heads(const GoldenCase& c, std::int64_t b, const Value& q, const Value& k,
                    const Value& v) {
  const std::int64_t n = c.masked ? c.lengths.at(static_cast<std::size_t>(b)) : k.dim(1);
  const auto softmax = attention::create("softmax", nlohmann::json::object());
  const attention::Heads heads{q, k, v, std::min(n, q.dim(1)), n, {}, {}};
  return attention::attend(*softmax, heads, {});
}

// The encoder's rotary positions, of q and k alone or within softmax attention.
GoldenComputed run_rotary(const GoldenCase& c, DType type) {
  if (c.hyper.value("zeroed", false)) {
    GoldenComputed skipped;
    skipped.not_offered = "zeroed = true";
    return skipped;
  }
  models::ModelConfig config;
  OptionTable table;
  config.options(table);
  table.assign({{"positions", word(c, "positions")},
                {"rotary_pairs", word(c, "rotary_pairs")},
                {"rotary_base", number(c, "rotary_base")}},
               "golden");
  const GoldenTensor& q = required(c.inputs, "q", 4);
  const std::int64_t rows = std::max(q.shape[2], required(c.inputs, "k", 4).shape[2]);
  const auto rotation = models::make_rotation(config, rows, q.shape[3], false);
  return run_sequences(c, type, {}, [&](std::map<std::string, Value>& in, std::int64_t b) {
    const Value turned_q = engine::rotate(in["q"], *rotation);
    const Value turned_k = engine::rotate(in["k"], *rotation);
    if (in.count("v") == 0) {
      return std::map<std::string, Value>{{"q_out", turned_q}, {"k_out", turned_k}};
    }
    return std::map<std::string, Value>{{"out", softmax_heads(c, b, turned_q, turned_k, in["v"])}};
  });
}

// The gate on an attention's output, applied to a given output or to softmax attention.
GoldenComputed run_gate(const GoldenCase& c, DType type) {
  const std::string kind = word(c, "attention_gate");
  const GoldenTensor& o = required(c.inputs, c.inputs.count("o") != 0 ? "o" : "v", 4);
  const std::int64_t gates = required(c.inputs, "Wg", 2).shape[0];
  if (gates != (kind == "head" ? o.shape[1] : o.shape[1] * o.shape[3])) {
    fail(ErrorKind::data, "golden: Wg has {} rows, which do not fit attention_gate {}", gates,
         kind);
  }
  return run_sequences(
      c, type, {"Wg", "bg"}, [&](std::map<std::string, Value>& in, std::int64_t b) {
        const Value heads =
            in.count("o") != 0 ? in["o"] : softmax_heads(c, b, in["q"], in["k"], in["v"]);
        const Value bias = in.count("bg") != 0 ? cast(in["bg"], DType::f32) : Value();
        const Value out = models::gate_heads(heads, in["x"], engine::transpose(in["Wg"]), bias);
        const std::int64_t n = c.masked ? c.lengths.at(static_cast<std::size_t>(b)) : out.dim(1);
        return std::map<std::string, Value>{{"out", engine::mask_rows(out, n)}};
      });
}

models::TrainConfig schedule_config(const GoldenCase& c, const char* kind) {
  models::TrainConfig config;
  const std::string schedule = word(c, kind);
  config.lr = number(c, "base_lr");
  // Where files say "constant" there is no warm-up, whatever warmup_steps is.
  config.warmup_steps =
      schedule == "constant" ? 0 : static_cast<std::int64_t>(number(c, "warmup_steps"));
  config.steps = static_cast<std::int64_t>(
      number(c, c.hyper.contains("steps_per_cycle") ? "steps_per_cycle" : "total_steps"));
  // Unknown schedule names are refused, as in a preset.
  table_of(config).assign({{"schedule", schedule == "constant_warmup" ? "constant" : schedule}},
                          "golden");
  return config;
}

GoldenComputed run_schedule(const GoldenCase& c, DType) {
  const models::TrainConfig config = schedule_config(c, "kind");
  const GoldenTensor& steps = required(c.fixed, "step", 1);
  GoldenComputed computed = make_computed(c);
  GoldenTensor& lr = output(computed, "lr");
  for (std::size_t i = 0; i < std::min(steps.data.size(), lr.data.size()); ++i) {
    lr.data[i] = models::learning_rate(config, static_cast<std::int64_t>(steps.data[i]));
  }
  return computed;
}

models::Optimizer optimizer_of(const std::string& text) {
  if (text.starts_with("AdamW")) return models::Optimizer::adamw;
  if (text == "Adam") return models::Optimizer::adam;
  if (text.starts_with("Adam, weight decay added to the gradient")) {
    return models::Optimizer::adam_l2;
  }
  fail(ErrorKind::data, "golden: unknown optimizer '{}'", text);
}

GoldenComputed run_optimizer(const GoldenCase& c, DType) {
  models::TrainConfig config = schedule_config(c, "schedule");
  config.optimizer = optimizer_of(word(c, "optimizer"));
  config.beta1 = number(c, "beta1");
  config.beta2 = number(c, "beta2");
  config.eps = number(c, "eps");
  config.weight_decay = number(c, "weight_decay");
  const auto first_step = static_cast<std::int64_t>(number(c, "first_step"));
  const GoldenTensor& start = required(c.inputs, "p0", 1);
  const GoldenTensor& gradients = required(c.fixed, "grads", 2);
  engine::Parameters parameters;
  static_cast<void>(parameters.add("p0", start.shape, engine::init::constant(0)));
  parameters.initialise(0, DType::f32);
  std::copy(start.data.begin(), start.data.end(), parameters.master().f32());
  models::OptimizerState state = models::make_optimizer_state(parameters);
  GoldenComputed computed = make_computed(c);
  const std::int64_t K = start.shape[0];
  for (std::int64_t i = 0; i < gradients.shape[0]; ++i) {
    const Tensor lane = Tensor::zeros({parameters.flat_size()});
    const GoldenTensor row = gradients.slice(i);
    std::copy(row.data.begin(), row.data.end(), lane.f32());
    const auto report = models::update(parameters, {lane}, state, config, first_step + i);
    add_values(parameters.master().slice(0, K), output(computed, "p"), i * K);
    add_values(state.m.slice(0, K), output(computed, "m"), i * K);
    add_values(state.v.slice(0, K), output(computed, "v"), i * K);
    output(computed, "lr").data.at(static_cast<std::size_t>(i)) = report.learning_rate;
  }
  return computed;
}

}  // namespace

double number(const GoldenCase& c, const char* name) {
  const auto found = c.hyper.find(name);
  if (found == c.hyper.end() || !found->is_number()) {
    fail(ErrorKind::data, "golden: hyper.{} is missing or not a number", name);
  }
  return found->get<double>();
}

std::string word(const GoldenCase& c, const char* name) {
  const auto found = c.hyper.find(name);
  if (found == c.hyper.end() || !found->is_string()) {
    fail(ErrorKind::data, "golden: hyper.{} is missing or not a string", name);
  }
  return found->get<std::string>();
}

const std::map<std::string, BlockRunner, std::less<>>& block_runners() {
  static const std::map<std::string, BlockRunner, std::less<>> runners{
      {"activations", run_activation},        {"cross_entropy", run_cross_entropy},
      {"dual_head", run_dual_head},           {"embedding", run_embedding},
      {"encoder_layer", run_encoder_layer},   {"gate", run_gate},
      {"layernorm", run_layer_norm},          {"rotary", run_rotary},
      {"masked_softmax", run_masked_softmax}, {"optimizers", run_optimizer},
      {"pool_head", run_pool_head},           {"schedules", run_schedule},
      {"tiny_classifier", run_classifier}};
  return runners;
}

}  // namespace lra::harness
