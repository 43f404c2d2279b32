#pragma once
// metrics.jsonl: one line per logged step, evaluation and diagnosis of a run.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace lra::harness {

// Appends lines to metrics.jsonl; a continued run removes lines after its checkpoint.
class MetricsFile {
 public:
  // Keeps the first `keep` bytes of an existing file. Throws Error(io), as add() does.
  MetricsFile(const std::filesystem::path& path, std::uint64_t keep);
  void add(const nlohmann::json& line);
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
};

}  // namespace lra::harness
