#include "harness/run/checkpoint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/run/safetensors.h"

namespace lra::harness {
namespace {

using engine::Tensor;

constexpr const char* kFormat = "lra-checkpoint/1";
constexpr std::array<std::string_view, 6> kKeys{"format", "spec_sha256", "data_sha256",
                                                "state",  "updates",     "metrics_bytes"};

std::string text_of(const TensorFile& file, const char* key, const std::string& where) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    fail(ErrorKind::data, "{}: metadata; got none called '{}', expected one", where, key);
  }
  return found->second;
}

std::int64_t count_of(const TensorFile& file, const char* key, const std::string& where) {
  const std::string text = text_of(file, key, where);
  std::int64_t value = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < 0) {
    fail(ErrorKind::data, "{}: {}; got '{}', expected a non-negative integer", where, key, text);
  }
  return value;
}

void require_owner(const TensorFile& file, const CheckpointOwner& owner, const std::string& where) {
  // Otherwise a damaged key would count as missing, as in files of earlier versions.
  for (const auto& [key, value] : file.metadata) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      fail(ErrorKind::data, "{}: unknown metadata '{}'", where, key);
    }
  }
  if (const std::string format = text_of(file, "format", where); format != kFormat) {
    fail(ErrorKind::data, "{}: checkpoint of another version; got {}, expected {}", where, format,
         kFormat);
  }
  if (const std::string spec = text_of(file, "spec_sha256", where); spec != owner.spec_sha256) {
    fail(ErrorKind::data,
         "{}: checkpoint of another version or run; got specification {}, expected {}", where,
         spec.substr(0, 16), owner.spec_sha256.substr(0, 16));
  }
  if (file.metadata.count("data_sha256") == 0) return;
  if (const std::string data = text_of(file, "data_sha256", where); data != owner.data_sha256) {
    fail(ErrorKind::data, "{}: checkpoint of a run on other data; got sha256 {}, expected {}",
         where, data.substr(0, 12), owner.data_sha256.substr(0, 12));
  }
}

// Reasons why this cannot be the state of a run; empty if there are none.
std::string fault_of(const RunState& s, const Checkpoint& c, std::int64_t steps) {
  const auto bad = [](const StepSums& sums) {
    return sums.steps < 0 || sums.correct < 0 || sums.counted < 0 || sums.tokens < 0 ||
           sums.rows < 0 || sums.flops < 0 || !(sums.seconds >= 0) || !std::isfinite(sums.loss);
  };
  if (s.step < 0 || s.step > steps) {
    return fmt::format("step; got {}, expected 0 to {}", s.step, steps);
  }
  if (c.updates != s.step || s.total.steps != s.step) {
    return fmt::format("updates and counted steps; got {} and {}, expected {}", c.updates,
                       s.total.steps, s.step);
  }
  if (s.step_stride < 1) {
    return fmt::format("step_stride; got {}, expected at least 1", s.step_stride);
  }
  if (s.best_step < -1 || s.best_step > s.step) {
    return fmt::format("best_step; got {}, expected -1 to {}", s.best_step, s.step);
  }
  if (s.evaluated < 0 || s.evaluated > s.step) {
    return fmt::format("evaluated; got {}, expected 0 to {}", s.evaluated, s.step);
  }
  if (s.diagnosed < -1 || s.diagnosed > s.step) {
    return fmt::format("diagnosed; got {}, expected -1 to {}", s.diagnosed, s.step);
  }
  std::int64_t stretched = 0;
  for (const StepStretch& stretch : s.stretches) {
    if (stretch.threads < 1 || stretch.steps < 0 || stretch.steps > s.step - stretched) {
      return fmt::format(
          "stretches; got {} steps with {} threads, expected positive numbers within "
          "the {} steps done",
          stretch.steps, stretch.threads, s.step);
    }
    stretched += stretch.steps;
  }
  if (bad(s.total) || bad(s.window) || s.window.steps > s.total.steps) {
    return "sums of steps; expected non-negative, finite values";
  }
  if (!(s.eval_seconds >= 0) || !(s.diagnosis_seconds >= 0)) {
    return "seconds; expected non-negative values";
  }
  return "";
}

}  // namespace

void write_checkpoint(const std::filesystem::path& file, const CheckpointOwner& owner,
                      const Checkpoint& checkpoint) {
  TensorFile out;
  out.metadata = {{"format", kFormat},
                  {"spec_sha256", owner.spec_sha256},
                  {"data_sha256", owner.data_sha256},
                  {"state", checkpoint.state.to_json().dump()},
                  {"updates", std::to_string(checkpoint.updates)},
                  {"metrics_bytes", std::to_string(checkpoint.metrics_bytes)}};
  out.tensors = {{"master", checkpoint.master}, {"m", checkpoint.m}, {"v", checkpoint.v}};
  if (checkpoint.best.defined()) out.tensors.emplace_back("best", checkpoint.best);
  write_safetensors(file, out);
}

Checkpoint read_checkpoint(const std::filesystem::path& file, const CheckpointOwner& owner) {
  const std::string where = file.string();
  const TensorFile in = read_safetensors(file);
  require_owner(in, owner, where);
  Checkpoint checkpoint;
  checkpoint.state = RunState::from_json(parse_json(text_of(in, "state", where), where + ": state"),
                                         where + ": state");
  checkpoint.updates = count_of(in, "updates", where);
  checkpoint.metrics_bytes = static_cast<std::uint64_t>(count_of(in, "metrics_bytes", where));
  std::map<std::string, Tensor> tensors(in.tensors.begin(), in.tensors.end());
  const bool has_best = checkpoint.state.best_step >= 0;
  const std::array<std::pair<const char*, Tensor*>, 4> wanted{{{"master", &checkpoint.master},
                                                               {"m", &checkpoint.m},
                                                               {"v", &checkpoint.v},
                                                               {"best", &checkpoint.best}}};
  for (const auto& [name, to] : wanted) {
    const auto found = tensors.find(name);
    const bool expected = to != &checkpoint.best || has_best;
    if (found == tensors.end() && !expected) continue;
    if (found == tensors.end() || !expected || found->second.numel() != owner.numbers) {
      fail(ErrorKind::data, "{}: tensor '{}'; got {}, expected {}", where, name,
           found == tensors.end() ? "none" : fmt::format("{} numbers", found->second.numel()),
           expected ? fmt::format("{} numbers", owner.numbers) : "none");
    }
    *to = found->second;
    tensors.erase(found);
  }
  if (!tensors.empty()) {
    fail(ErrorKind::data, "{}: unknown tensor '{}'", where, tensors.begin()->first);
  }
  const std::string fault = fault_of(checkpoint.state, checkpoint, owner.steps);
  if (!fault.empty()) fail(ErrorKind::data, "{}: {}", where, fault);
  return checkpoint;
}

}  // namespace lra::harness
