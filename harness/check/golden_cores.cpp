// Golden cases of operations inside variants that take the block's input: the scans of RWKV-7,
// Mamba and HGRN, the convolution of SGConv.

#include <functional>
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
    // kk reads the state before the decay.
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

// An operation on the rows [N, .] of one sequence; the first n rows are real.
using RowOperation = std::function<Value(const std::map<std::string, Value>& in, std::int64_t n)>;

// Inputs with three axes are rows of each sequence, others belong to all of them.
GoldenComputed run_rows(const GoldenCase& c, const RowOperation& operation) {
  const engine::WorkerScope worker;
  GoldenComputed computed = make_computed(c);
  GoldenTensor& out = output(computed, "out");
  const GoldenTensor& x = required(c.inputs, "x", 3);
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    engine::Tape tape;
    std::map<std::string, Value> in;
    for (const auto& [name, input] : c.inputs) {
      const bool rows = input.shape.rank() == 3;
      if (rows && (input.shape[0] != x.shape[0] || input.shape[1] != x.shape[1])) {
        fail(ErrorKind::data, "golden: input {} has shape {}, expected the rows of x {}", name,
             input.shape.text(), x.shape.text());
      }
      in[name] = tape.leaf((rows ? input.slice(b) : input).tensor(DType::f32));
    }
    const std::int64_t n = c.masked ? c.lengths.at(static_cast<std::size_t>(b)) : x.shape[1];
    const Value y = mask_rows(operation(in, n), n);
    add_values(y.tensor(), out, b * y.tensor().numel());
    if (const auto upstream = c.grad_out.find("out"); upstream != c.grad_out.end()) {
      tape.backward(y, upstream->second.slice(b).tensor(DType::f32));
    }
    for (auto& [name, gradient] : computed.gradients) {
      const Tensor& value = in.at(name).gradient()->value();
      if (!value.defined()) continue;
      add_values(value, gradient, gradient.shape.rank() == 3 ? b * value.numel() : 0);
    }
  }
  return computed;
}

const Value& at(const std::map<std::string, Value>& in, const char* name) {
  const auto found = in.find(name);
  if (found == in.end()) fail(ErrorKind::data, "golden: input {} is missing", name);
  return found->second;
}

// y = (the scan of x, both ways unless causal, each token once; + D x) silu(z).
GoldenComputed run_mamba(const GoldenCase& c, DType) {
  const bool causal = c.hyper.value("causal", false);
  return run_rows(c, [causal](const std::map<std::string, Value>& in, std::int64_t n) {
    const Value& x = at(in, "x");
    const Value A = -exp(at(in, "A_log"));
    const auto scan = [&](bool reverse) {
      return engine::selective_scan(x, at(in, "dt"), A, at(in, "B"), at(in, "C"),
                                    {.length = n, .reverse = reverse, .exclusive = reverse});
    };
    Value y = scan(false) + x * at(in, "D");
    if (!causal) y = y + scan(true);
    return y * silu(at(in, "z"));
  });
}

// h_t = lambda_t e^(i theta) h_(t-1) + (1 - lambda_t) c_t, both ways unless causal; rows of x are
// [Re c, Im c].
GoldenComputed run_hgrn(const GoldenCase& c, DType) {
  const bool causal = c.hyper.value("causal", false);
  return run_rows(c, [causal](const std::map<std::string, Value>& in, std::int64_t n) {
    const Value& lambda = at(in, "lambda");
    const Value& theta = at(in, "theta");
    const Value enters = 1.0F - lambda;
    const Value u = mask_rows(at(in, "x") * engine::concat({enters, enters}, 1), n);
    const Value a = engine::concat({lambda * cos(theta), lambda * sin(theta)}, 1);
    const engine::Shape one{1, u.dim(0), u.dim(1)};
    const auto scan = [&](bool reverse) {
      return reshape(
          diagonal_scan(reshape(u, one), reshape(a, one), {.complex = true, .reverse = reverse}),
          u.shape());
    };
    return causal ? scan(false) : scan(false) + scan(true);
  });
}

// The convolution with K0, and K1 on the tokens behind: [E, N] from lag 0 and lag -1 on.
GoldenComputed run_sgconv(const GoldenCase& c, DType) {
  return run_rows(c, [](const std::map<std::string, Value>& in, std::int64_t n) {
    const Value after = in.count("K1") != 0 ? engine::transpose(at(in, "K1")) : Value();
    return engine::long_convolution(at(in, "x"), engine::transpose(at(in, "K0")), after, n);
  });
}

}  // namespace

const std::map<std::string, BlockRunner, std::less<>>& core_runners() {
  static const std::map<std::string, BlockRunner, std::less<>> runners{
      {"hgrn", run_hgrn}, {"mamba", run_mamba}, {"rwkv7", run_rwkv7}, {"sgconv", run_sgconv}};
  return runners;
}

}  // namespace lra::harness
