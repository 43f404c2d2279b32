#include "attention/attention.h"

#include <nlohmann/json.hpp>

namespace lra::attention {

std::string_view growth_name(Growth growth) {
  switch (growth) {
    case Growth::linear:
      return "n";
    case Growth::n_log_n:
      return "n log n";
    case Growth::n_sqrt_n:
      return "n sqrt n";
    case Growth::quadratic:
      return "n^2";
  }
  return "?";
}

Tensor Context::draw(const std::string& name, const std::function<Tensor()>& make) const {
  if (draws == nullptr) return make();
  auto found = draws->find(name);
  if (found == draws->end()) found = draws->emplace(name, make()).first;
  return found->second;
}

nlohmann::json Attention::golden_options(const nlohmann::json& hyper) {
  OptionTable table;
  options(table);
  nlohmann::json chosen = nlohmann::json::object();
  for (const std::string& name : table.names()) {
    if (hyper.contains(name)) chosen[name] = hyper[name];
  }
  return chosen;
}

Value Attention::forward(const Heads&, const Context&) const {
  fail(ErrorKind::config, "attention: this variant takes the block's input, not heads");
}

Value Attention::mix(const Value&, const Context&) const {
  fail(ErrorKind::config, "attention: this variant takes heads, not the block's input");
}

Weights Attention::weights(const PlainInputs&) const { return {}; }

Plain Attention::define(const PlainInputs& in) const {
  const Weights w = weights(in);
  if (!w.defined()) fail(ErrorKind::config, "attention: this variant has no definition");
  return weighted_sum(w, in.v);
}

Registry<Entry>& registry() {
  static Registry<Entry> instance("attention");
  return instance;
}

std::unique_ptr<Attention> create(std::string_view name, const nlohmann::json& options) {
  auto attention = registry().at(name).create();
  table_of(*attention).assign(options, "attention/" + registry().canonical(name));
  return attention;
}

nlohmann::json resolved_options(std::string_view name, const nlohmann::json& options) {
  auto attention = registry().at(name).create();
  OptionTable table;
  attention->options(table);
  table.assign(options, "attention/" + registry().canonical(name));
  return table.values();
}

Value attend(const Attention& attention, const Heads& x, const Context& context) {
  if (x.length == 0 || x.key_length == 0) {
    return Value(Tensor::zeros({x.q.dim(0), x.q.dim(1), x.v.dim(2)}, x.v.dtype()));
  }
  return engine::mask_rows(attention.forward(x, context), x.length);
}

Value mix(const Attention& attention, const Value& x, const Context& context) {
  if (context.length == 0) return Value(Tensor::zeros(x.shape(), x.dtype()));
  return engine::mask_rows(attention.mix(engine::mask_rows(x, context.length), context),
                           context.length);
}

}  // namespace lra::attention
