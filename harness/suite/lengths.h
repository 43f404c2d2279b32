#pragma once
// What is known of a task's data before they are opened: lengths of sequences.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "harness/run/spec.h"
#include "tasks/task.h"

namespace lra::harness {

// Rows of the encoder for the sequences (two for a pair) of the first training examples of the data
// that a run would use, padding inside and behind them taken as the model takes it: read or
// generated for this alone, without a cache. Empty where they cannot be had in a few seconds; the
// run itself will say why. Reads in a child process: call it before this process has started
// threads. Throws Interrupted once `stop` is set.
[[nodiscard]] std::vector<std::int64_t> sampled_lengths(const RunSpec& spec,
                                                        const std::filesystem::path& data,
                                                        const std::atomic<bool>* stop);

}  // namespace lra::harness
