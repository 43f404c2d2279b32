#include "attention/check/trial.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/runtime.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr double kParameterNoise = 0.1;  // initial zeros and identities would hide errors

float bf16_value(float x) { return engine::to_float(engine::to_bfloat16(x)); }

Tensor as_f32(const Tensor& tensor) { return Tensor::from(tensor.shape(), tensor.to_floats()); }

}  // namespace

ProbeSetup ProbeSetup::self(std::int64_t length, std::int64_t rows) {
  ProbeSetup setup;
  setup.length = setup.key_length = length;
  setup.rows = setup.key_rows = rows;
  return setup;
}

ProbeSetup ProbeSetup::cross(std::int64_t length, std::int64_t key_length) {
  ProbeSetup setup;
  setup.length = setup.rows = length;
  setup.key_length = setup.key_rows = key_length;
  return setup;
}

Probe::Probe(const std::string& variant, const json& options, const ProbeSetup& setup)
    : traits_(registry().at(variant).traits),
      setup_(setup),
      // A distinct width exposes variants that confuse the two.
      width_(setup.heads * setup.head_dim + (traits_.input == Input::block ? 0 : 2)),
      attention_(create(variant, options)) {
  Dimensions d;
  d.heads = setup.heads;
  d.head_dim = setup.head_dim;
  d.width = width_;
  d.max_length = setup.max_length;
  attention_->build({parameters_, ""}, d);
  parameters_.initialise(setup.seed, setup.type);
  RandomStream random(RandomKey(setup.seed).of("parameter noise"));
  for (const auto& entry : parameters_.entries()) {
    float* values = parameters_.tensor(entry).f32();
    for (std::int64_t i = 0; i < entry.size; ++i) {
      values[i] += static_cast<float>(kParameterNoise * random.normal());
      if (setup.rounded) values[i] = bf16_value(values[i]);
    }
  }
  parameters_.refresh();
}

std::vector<std::string> Probe::input_names() const {
  if (block()) return {"x"};
  if (traits_.input == Input::shared_qk) return {"qk", "v", "x"};
  return {"q", "k", "v", "x"};
}

Shape Probe::input_shape(const std::string& name) const {
  if (name == "x") return {setup_.rows, width_};
  const bool query = name == "q" || name == "qk";
  return {setup_.heads, query ? setup_.rows : setup_.key_rows, setup_.head_dim};
}

Tensors Probe::inputs(double scale, std::uint64_t garbage) const {
  Tensors tensors;
  for (const std::string& name : input_names()) {
    const Shape shape = input_shape(name);
    const RandomKey key = RandomKey(setup_.seed).of("inputs").of(name);
    const bool keys = name == "k" || name == "v";
    const std::int64_t real = keys ? setup_.key_length : setup_.length;
    Tensor tensor(shape, DType::f32);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      const std::int64_t row = i / shape[-1] % shape[-2];
      const std::int64_t head = i / shape[-1] / shape[-2];
      // A value depends only on its position, not on the number of rows.
      RandomKey place = key.of(static_cast<std::uint64_t>(head))
                            .of(static_cast<std::uint64_t>(row))
                            .of(static_cast<std::uint64_t>(i % shape[-1]));
      if (row >= real) place = place.of(garbage);
      const auto value = static_cast<float>(scale * RandomStream(place).normal());
      tensor.f32()[i] = setup_.rounded ? bf16_value(value) : value;
    }
    tensors[name] = tensor;
  }
  return tensors;
}

Tensor Probe::upstream() const {
  const Shape shape = block() ? input_shape("x") : input_shape("q");
  Tensor tensor(shape, DType::f32);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    const std::int64_t row = i / shape[-1] % shape[-2];
    RandomStream random(RandomKey(setup_.seed)
                            .of("upstream")
                            .of(static_cast<std::uint64_t>(row))
                            .of(static_cast<std::uint64_t>(i % shape[-1]))
                            .of(static_cast<std::uint64_t>(i / shape[-1] / shape[-2])));
    const auto value = static_cast<float>(random.normal());
    tensor.f32()[i] = setup_.rounded ? bf16_value(value) : value;
  }
  return tensor;
}

Probe::Result Probe::run(const Tensors& inputs, const Tensor& upstream) const {
  const engine::WorkerScope worker;
  const Tensor sums = upstream.defined()
                          ? Tensor::zeros({std::max<std::int64_t>(1, parameters_.flat_size())})
                          : Tensor();
  const engine::ParameterScope scope(parameters_, sums);
  std::unique_ptr<engine::Tape> tape;
  if (upstream.defined()) tape = std::make_unique<engine::Tape>();
  std::map<std::string, Value> leaves;
  for (const auto& [name, tensor] : inputs) {
    const Tensor typed = Tensor::from(tensor.shape(), tensor.to_floats(), setup_.type);
    leaves[name] = tape ? tape->leaf(typed) : Value(typed);
  }
  Result result;
  std::map<std::string, Value> carried;
  Context context;
  context.length = setup_.length;
  context.training = upstream.defined();
  context.call = RandomKey(setup_.seed).of("call");
  if (setup_.call != 0) context.call = context.call.of(setup_.call);
  context.fixed = RandomKey(setup_.seed).of("fixed");
  context.draws = &result.draws;
  context.carried = &carried;
  Value out;
  if (block()) {
    out = attention::mix(*attention_, leaves.at("x"), context);
  } else {
    const bool shared = traits_.input == Input::shared_qk;
    const Heads heads{leaves.at(shared ? "qk" : "q"),
                      leaves.at(shared ? "qk" : "k"),
                      leaves.at("v"),
                      setup_.length,
                      setup_.key_length,
                      leaves.at("x"),
                      {}};
    out = attend(*attention_, heads, context);
  }
  result.out = as_f32(out.tensor());
  if (!tape) return result;
  tape->backward(out, Tensor::from(upstream.shape(), upstream.to_floats(), out.dtype()));
  for (const auto& [name, leaf] : leaves) {
    const Tensor& gradient = leaf.gradient()->value();
    result.gradients[name] = gradient.defined() ? as_f32(gradient) : Tensor::zeros(leaf.shape());
  }
  for (const auto& entry : parameters_.entries()) {
    result.gradients[entry.name] = sums.slice(entry.offset, entry.size).reshaped(entry.shape);
  }
  return result;
}

Plain Probe::real_rows(const std::string& name, const Tensor& tensor) const {
  if (parameters_.find(name) != nullptr) return to_plain(tensor);
  const std::int64_t real = name == "k" || name == "v" ? setup_.key_length : setup_.length;
  return first_rows(tensor, real);
}

PlainInputs Probe::plain(const Tensors& inputs, const std::map<std::string, Tensor>& draws) const {
  PlainInputs in;
  for (const auto& [name, tensor] : inputs) {
    const Plain rows = real_rows(name, tensor);
    if (name == "x") in.x = rows;
    if (name == "q" || name == "qk") in.q = rows;
    if (name == "k" || name == "qk") in.k = rows;
    if (name == "v") in.v = rows;
  }
  for (const auto& entry : parameters_.entries()) {
    in.parameters[entry.name] = to_plain(parameters_.tensor(entry));
  }
  for (const auto& [name, tensor] : draws) in.draws[name] = to_plain(tensor);
  in.rows = setup_.rows;
  in.key_rows = setup_.key_rows;
  return in;
}

double worse(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  return std::max(a, b);
}

std::string error_text(double error) {
  if (std::isnan(error)) return "NaN";
  return std::isinf(error) ? "infinite" : fmt::format("{:.1e}", error);
}

double relative_error(const Plain& actual, const Plain& expected, double scale) {
  if (actual.shape != expected.shape) return std::numeric_limits<double>::infinity();
  double worst = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const double difference = std::abs(actual.data[i] - expected.data[i]);
    worst = worse(worst, difference);
    largest = std::max(largest, std::abs(expected.data[i]));
  }
  const double unit = std::max(1e-3, scale > 0 ? scale : largest);
  return std::isfinite(worst) && std::isfinite(unit) ? worst / unit : worst;
}

std::vector<json> option_sets(const std::string& variant) {
  constexpr std::int64_t kSmall = 8;
  const auto accepted = [&](const json& options) {
    try {
      const Probe probe(variant, options, ProbeSetup());
      return true;
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::config) throw;
      return false;
    }
  };
  OptionTable table;
  const auto attention = registry().at(variant).create();
  attention->options(table);
  const json described = table.describe();
  json small = json::object();
  for (const json& option : described) {
    if (option["type"] != "integer" || option["default"].get<std::int64_t>() <= kSmall) continue;
    for (const int value : {4, 3, 2, 8}) {
      json tried = small;
      tried[option["name"].get<std::string>()] = value;
      if (!accepted(tried)) continue;
      small = tried;
      break;
    }
  }
  std::vector<json> sets{small};
  const auto add = [&](const json& options) {
    if (accepted(options)) sets.push_back(options);
  };
  json reals = small;
  for (const json& option : described) {
    const auto name = option["name"].get<std::string>();
    const json& preset = option["default"];
    json changed = small;
    if (option["type"] == "flag") {
      changed[name] = !preset.get<bool>();
      add(changed);
    } else if (option["type"] == "choice") {
      for (const json& choice : option["choices"]) {
        if (choice == preset) continue;
        changed[name] = choice;
        add(changed);
      }
    } else if (option["type"] == "integer" && preset.get<std::int64_t>() <= kSmall) {
      changed[name] = preset.get<std::int64_t>() + 1;
      add(changed);
    } else if (option["type"] == "number") {
      const double value = preset.get<double>();
      json tried = reals;
      // Large enough to be visible in f32, also for the tiny numbers that keep denominators from 0.
      tried[name] = value < 0.01 ? 0.05 : 0.75 * value;
      if (accepted(tried)) reals = tried;
    }
  }
  if (reals != small) sets.push_back(reals);
  return sets;
}

std::string DefinitionCase::text() const {
  std::string lengths = fmt::format("n = {} of {}", setup.length, setup.rows);
  if (setup.key_length != setup.length) lengths += fmt::format(", {} keys", setup.key_length);
  return options.dump() + ", " + lengths;
}

namespace {

// A variant that accepts other numbers of keys may refuse them with some of its options.
bool takes_other_keys(const std::string& variant, const json& options) {
  try {
    const Probe probe(variant, options, ProbeSetup::cross(5, 9));
    static_cast<void>(probe.run(probe.inputs(), Tensor()));
    return true;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::config) throw;
    return false;
  }
}

}  // namespace

std::vector<DefinitionCase> definition_cases(const std::string& variant) {
  std::vector<DefinitionCase> cases;
  const Traits& traits = registry().at(variant).traits;
  for (const json& options : option_sets(variant)) {
    std::vector<ProbeSetup> setups{ProbeSetup::self(13, 16), ProbeSetup::self(37, 37)};
    if (cases.empty()) {
      setups.push_back(ProbeSetup::self(1, 1));
      setups.push_back(ProbeSetup::self(1, 16));
      setups.push_back(ProbeSetup::self(2, 3));
      setups.push_back(ProbeSetup::self(7, 7));
      setups.push_back(ProbeSetup::self(29, 48));
    }
    if (traits.cross && options.value("causal", false) == false &&
        takes_other_keys(variant, options)) {
      setups.push_back(ProbeSetup::cross(5, 9));
      setups.push_back(ProbeSetup::cross(9, 5));
    }
    for (const ProbeSetup& setup : setups) cases.push_back({options, setup});
  }
  return cases;
}

}  // namespace lra::attention
