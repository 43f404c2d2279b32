#include "attention/check/execution_checks.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <thread>

#include "attention/check/comparison.h"
#include "attention/check/trial.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr std::int64_t kKernelLength = 512;

}  // namespace

void check_threads(const std::string& name, Findings& f) {
  ++f.settings;
  const json options = option_sets(name).front();
  const Probe one(name, options, ProbeSetup::self(37, 48));
  ProbeSetup setup = ProbeSetup::self(29, 32);
  setup.seed = 2;
  const Probe two(name, options, setup);
  const auto run = [](const Probe& probe) { return probe.run(probe.inputs(), probe.upstream()); };
  const auto one_alone = run(one);
  const auto two_alone = run(two);
  Probe::Result one_beside;
  Probe::Result two_beside;
  std::exception_ptr thrown;
  std::thread first([&] {
    try {
      one_beside = run(one);
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  try {
    two_beside = run(two);
  } catch (...) {
    first.join();
    throw;
  }
  first.join();
  if (thrown) std::rethrow_exception(thrown);
  if (!same_bits(one_beside, one_alone) || !same_bits(two_beside, two_alone)) {
    f.fault("two instances at once do not give the bits that each gives alone");
  }
}

void check_kernels(const std::string& name, Findings& f) {
  for (const DType type : {DType::f32, DType::bf16}) {
    if (type == DType::bf16 && !engine::machine().native_bf16) continue;
    ++f.settings;
    for (const std::string& kernel : reference_kernels(name, kKernelLength, type)) {
      f.fault("a step with {} tokens in {} runs the reference kernel {}", kKernelLength,
              engine::dtype_name(type), kernel);
    }
  }
}

std::vector<std::string> reference_kernels(const std::string& variant, std::int64_t n, DType type) {
  engine::primitives::clear_thread_cache();
  engine::primitives::forget_compiled();
  ProbeSetup setup = ProbeSetup::self(n, n);
  setup.head_dim = 32;
  setup.max_length = n;
  setup.type = type;
  const Probe probe(variant, json::object(), setup);
  static_cast<void>(probe.run(probe.inputs(), probe.upstream()));
  return engine::primitives::reference_kernels();
}

}  // namespace lra::attention
