#pragma once
// Lengths of a task's sequences before its data are opened.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "harness/run/spec.h"
#include "tasks/task.h"

namespace lra::harness {

// Encoder rows for the sequences (two for a pair) of the first training examples of a run's data,
// with the model's treatment of padding inside and behind them. The examples are read or generated
// for this purpose only, without a cache. Empty if that takes more than a few seconds or fails; the
// run itself will report why. Reads in a child process: must be called before this process has
// started threads. Throws Interrupted once `stop` is set.
[[nodiscard]] std::vector<std::int64_t> sampled_lengths(const RunSpec& spec,
                                                        const std::filesystem::path& data,
                                                        const std::atomic<bool>* stop);

}  // namespace lra::harness
