#pragma once
// TensorBoard's event files, written without TensorFlow: a run's metrics as scalars, its
// specification as hyper-parameters. Formats: tensorflow/core/lib/io/record_writer.h (records),
// tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto and
// tensorboard/plugins/hparams/plugin_data.proto (messages, in protocol buffers' wire format).

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lra::harness {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

class EventFile {
 public:
  // Opens `folder`/events.out.tfevents.lra for appending. An unfinished record of a killed process
  // is removed; everything after `step` in an existing file is declared void for TensorBoard.
  // Throws Error(io).
  EventFile(const std::filesystem::path& folder, std::int64_t step);

  // Writes the numbers of a line of metrics.jsonl as scalars "SPLIT/NAME" at its step.
  void add(const nlohmann::json& line);
  // Writes the hyper-parameters of the run: names with numbers, texts or booleans.
  void add_hyper_parameters(const nlohmann::json& values);
  // Writes the end of the run.
  void finish(bool success);

 private:
  void add_event(const std::string& event);

  std::filesystem::path path_;
};

}  // namespace lra::harness
