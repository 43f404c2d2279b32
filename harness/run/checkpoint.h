#pragma once
// The checkpoint of a run in progress, checkpoint.safetensors.

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/tensor/tensor.h"
#include "harness/run/state.h"

namespace lra::harness {

// Identity of the run that a checkpoint belongs to.
struct CheckpointOwner {
  std::string spec_sha256;
  std::string data_sha256;
  std::int64_t steps = 0;    // planned
  std::int64_t numbers = 0;  // in each of its tensors
};

struct Checkpoint {
  RunState state;
  std::int64_t updates = 0;         // of the optimiser
  std::uint64_t metrics_bytes = 0;  // of metrics.jsonl at this step
  engine::Tensor master, m, v;      // f32, flat
  engine::Tensor best;              // weights of the best validation; undefined before the first
};

// Writes atomically. Throws Error(io).
void write_checkpoint(const std::filesystem::path& file, const CheckpointOwner& owner,
                      const Checkpoint& checkpoint);

// Throws Error(data) with the file and the reason for a checkpoint of another version, run or data,
// for missing or unknown tensors, and for impossible values (a step beyond the planned ones,
// negative counts, a stride of 0). Files of earlier versions do not name their data.
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& file,
                                         const CheckpointOwner& owner);

}  // namespace lra::harness
