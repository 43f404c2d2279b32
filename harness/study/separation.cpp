#include "harness/study/separation.h"

#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "engine/runtime.h"
#include "engine/tensor/memory.h"
#include "harness/study/parallel.h"
#include "harness/workers/workers.h"

namespace lra::harness::study {
namespace {

void require(bool holds, const std::string& what) {
  if (!holds) fail(ErrorKind::usage, "study separation: {}", what);
}

// Checks sizes and fills in derived values.
Setting completed(Setting x, Mode mode) {
  if (mode == Mode::noise) {
    require(x.n >= 2 && x.n <= 1 << 20, fmt::format("n must be in [2, 2^20]; got n={}", x.n));
    require(x.f > 0 && x.f <= 100, fmt::format("f must be in (0, 100]; got f={}", x.f));
    return x;
  }
  require(x.d >= 4 && x.d <= 4096, fmt::format("d must be in [4, 4096]; got d={}", x.d));
  require(x.n >= x.d - 2 && x.n <= 1 << 20,
          fmt::format("n = t (d - 2) needs t >= 1; got n={}, d={}: n must be in [{}, 2^20]", x.n,
                      x.d, x.d - 2));
  x.n = x.n / (x.d - 2) * (x.d - 2);
  require(x.a0 >= 0 && x.a0 <= 0.1, fmt::format("a0 must be in [0, 0.1]; got a0={}", x.a0));
  require(x.a1 > 0.1 && x.a1 <= 100, fmt::format("a1 must be in (0.1, 100]; got a1={}", x.a1));
  require(x.c >= 0.1 && x.c <= 0.9,
          fmt::format("c must be in [0.1, 0.9], and b is 1 - c; got c={}", x.c));
  require(x.eps >= 0 && x.eps <= 10, fmt::format("eps must be in [0, 10]; got eps={}", x.eps));
  require(x.m >= 0 && x.m <= 1 << 16,
          fmt::format("m must be in [1, 2^16], or 0 for its default; got m={}", x.m));
  if (x.m == 0) {
    const double delta = 0.01;  // allowed probability of a miss
    x.m = mode == Mode::train
              ? 32
              : std::max(static_cast<std::int64_t>(std::log(static_cast<double>(x.n) / delta)),
                         std::int64_t{15});
  }
  return x;
}

Point run_point(const Request& r, const std::string& kernel, const Setting& x) {
  switch (r.mode) {
    case Mode::theory:
      return theory_point(kernel, x, r.trials, r.seed);
    case Mode::noise:
      return noise_point(kernel, x, r.trials, r.seed);
    case Mode::train:
      break;
  }
  return train_point(kernel, x, r);
}

}  // namespace

Mode parse_mode(const std::string& name) {
  const auto mode = enum_of<Mode>(name);
  if (!mode) {
    fail(ErrorKind::usage, "study separation: {}",
         unknown_name_message("mode", name, words_of<Mode>()));
  }
  return *mode;
}

std::vector<std::string> kernel_names(Mode mode) {
  if (mode == Mode::theory) return theory_kernels();
  if (mode == Mode::noise) return noise_kernels();
  return attention::registry().names();
}

std::vector<std::string> setting_names(Mode mode) {
  if (mode == Mode::theory) return {"n", "d", "m", "a0", "a1", "c", "eps", "cross"};
  if (mode == Mode::noise) return {"n", "f"};
  return {"n", "d", "m", "a1", "c", "residual", "maxpool"};
}

void assign(Setting& x, Mode mode, const std::string& name, double value) {
  const auto names = setting_names(mode);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail(ErrorKind::usage, "study separation: mode {}: {}", name_of(mode),
         unknown_name_message("setting", name, names));
  }
  const auto integer = [&] {
    require(value == std::floor(value) && std::abs(value) < 1e9,
            fmt::format("{} must be an integer; got {}", name, value));
    return static_cast<std::int64_t>(value);
  };
  if (name == "n") x.n = integer();
  if (name == "d") x.d = integer();
  if (name == "m") {
    x.m = integer();
    require(x.m >= 1, fmt::format("m must be in [1, 2^16]; got m={}", x.m));
  }
  if (name == "a0") x.a0 = value;
  if (name == "a1") x.a1 = value;
  if (name == "c") x.c = value;
  if (name == "eps") x.eps = value;
  if (name == "f") x.f = value;
  const auto flag = [&] {
    require(value == 0 || value == 1, fmt::format("{} must be 0 or 1; got {}", name, value));
    return value == 1;
  };
  if (name == "cross") x.cross = flag();
  if (name == "residual") x.residual = flag();
  if (name == "maxpool") x.maxpool = flag();
}

std::vector<Point> run_study(const Request& request) {
  Request r = request;
  const auto known = kernel_names(r.mode);
  if (r.kernels.empty()) r.kernels = known;
  for (std::string& kernel : r.kernels) {
    std::string name = kernel;
    if (r.mode == Mode::train) {
      name = parse_variant(kernel).name;
      kernel = name + kernel.substr(std::min(kernel.find(':'), kernel.size()));
    }
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      fail(ErrorKind::usage, "study separation: mode {}: {}", name_of(r.mode),
           unknown_name_message("kernel", name, known));
    }
  }
  require(!r.values.empty(), "nothing to sweep; give --sweep NAME=VALUE,...");
  require(r.trials >= 1, fmt::format("trials must be at least 1; got {}", r.trials));
  require(r.steps >= 1, fmt::format("steps must be at least 1; got {}", r.steps));
  constexpr auto kMostSeed = std::numeric_limits<std::int64_t>::max();  // that a record holds
  require(std::in_range<std::int64_t>(r.seed),
          fmt::format("seed must be at most {}; got {}", kMostSeed, r.seed));
  require(r.test >= 4, fmt::format("test must be at least 4; got {}", r.test));
  std::vector<Setting> settings;
  for (const double value : r.values) {
    Setting x = r.setting;
    assign(x, r.mode, r.swept, value);
    const std::int64_t n = x.n;
    settings.push_back(completed(x, r.mode));
    // Tables and pictures show the swept values.
    require(r.swept != "n" || settings.back().n == n,
            fmt::format("n = t (d - 2): expected multiples of {}, such as {}; got n={}", x.d - 2,
                        settings.back().n, n));
  }
  std::vector<Point> points;
  Workers workers(r.threads);
  workers.execute([&] {
    for (const std::string& kernel : r.kernels) {
      for (const Setting& x : settings) points.push_back(run_point(r, kernel, x));
    }
  });
  return points;
}

}  // namespace lra::harness::study
