// Golden cases of operations inside variants that take the block's input: the scan of RWKV-7.

#include <map>
#include <string>

#include "engine/ops.h"
#include "engine/runtime.h"
#include "harness/check/golden_blocks.h"

namespace lra::harness {
namespace {

using engine::DType;
using engine::Tensor;
using engine::Value;

// S = S diag(e^g) - S kk (a kk)^T + v k^T, both ways unless causal. q, k, v, kk, a, g [B, H, N, D].
GoldenComputed run_rwkv7(const GoldenCase& c, DType type) {
  const engine::WorkerScope worker;
  GoldenComputed computed = make_computed(c);
  GoldenTensor& out = output(computed, "out");
  const std::int64_t B = required(c.inputs, "q", 4).shape[0];
  const bool causal = c.hyper.value("causal", false);
  for (std::int64_t b = 0; b < B; ++b) {
    engine::Tape tape;
    std::map<std::string, Value> in;
    for (const char* name : {"q", "k", "v", "kk", "a", "g"}) {
      in[name] = tape.leaf(required(c.inputs, name, 4)
                               .slice(b)
                               .tensor(std::string(name) == "g" ? DType::f32 : type));
    }
    const std::int64_t n = c.masked ? c.lengths.at(static_cast<std::size_t>(b)) : in.at("q").dim(1);
    // kk reads the state before it decays.
    const Value read = cast(cast(in.at("kk"), DType::f32) * exp(-in.at("g")), type);
    const Value erase = in.at("a") * in.at("kk");
    const auto scan = [&](bool reverse) {
      return engine::generalised_delta_scan(in.at("q"), in.at("k"), in.at("v"), in.at("g"), read,
                                            erase, n, reverse);
    };
    const Value o = causal ? scan(false) : scan(false) + scan(true);
    add_values(o.tensor(), out, b * o.tensor().numel());
    if (const auto upstream = c.grad_out.find("out"); upstream != c.grad_out.end()) {
      tape.backward(o, upstream->second.slice(b).tensor(o.dtype()));
    }
    for (auto& [name, gradient] : computed.gradients) {
      const Tensor& value = in.at(name).gradient()->value();
      if (value.defined()) add_values(value, gradient, b * value.numel());
    }
  }
  return computed;
}

}  // namespace

const std::map<std::string, BlockRunner, std::less<>>& core_runners() {
  static const std::map<std::string, BlockRunner, std::less<>> runners{{"rwkv7", run_rwkv7}};
  return runners;
}

}  // namespace lra::harness
