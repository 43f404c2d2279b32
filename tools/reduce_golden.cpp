// Makes a small set of golden files from a full one, for the project's own tests:
//   reduce_golden FROM TO BYTES
// writes each .json file below FROM to TO with as many of its cases as fit into BYTES: the two
// smallest, then the largest that still fit, optional ones last. Of a case in which no input is
// shared by the sequences of the batch only the last sequence is kept. Numbers stay as they are.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace {

using nlohmann::json;

struct Candidate {
  std::size_t place;
  std::size_t bytes;
  bool optional;
};

// Indices of the cases to keep, in the order of the file.
std::vector<std::size_t> choose(std::vector<Candidate> candidates, std::size_t limit) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::pair(a.optional, a.bytes) < std::pair(b.optional, b.bytes);
  });
  const auto smallest = static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, candidates.size()));
  std::stable_sort(candidates.begin() + smallest, candidates.end(),
                   [](const auto& a, const auto& b) {
                     return std::pair(!a.optional, a.bytes) > std::pair(!b.optional, b.bytes);
                   });
  std::vector<std::size_t> kept;
  std::size_t total = 0;
  for (const Candidate& candidate : candidates) {
    if (!kept.empty() && total + candidate.bytes > limit) continue;
    kept.push_back(candidate.place);
    total += candidate.bytes;
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

// Inputs and outputs with one entry per sequence.
const std::set<std::string> kBatched{"q",  "k",  "v",  "x",  "qk",  "qg", "kg",
                                     "vg", "gk", "x1", "x2", "out", "y"};

json last_of(const json& tensor) {
  const auto sequences = tensor["shape"][0].get<std::size_t>();
  const json& data = tensor["data"];
  json result = tensor;
  result["shape"][0] = 1;
  const auto size = static_cast<std::ptrdiff_t>(data.size() / sequences);
  result["data"] = std::vector<json>(data.end() - size, data.end());
  return result;
}

// Fixed tensors: one for all sequences, one row per sequence (by the layouts in the file's
// convention), or name_0, name_1, ... for the sequences.
json last_fixed(const json& fixed, const std::string& convention, std::size_t sequences) {
  json result = json::object();
  const std::string last = fmt::format("_{}", sequences - 1);
  for (const auto& [name, tensor] : fixed.items()) {
    const auto digit = name.find_last_not_of("0123456789");
    if (name.ends_with(last)) {
      result[name.substr(0, name.size() - last.size()) + "_0"] = tensor;
    } else if (digit + 1 == name.size() || name[digit] != '_') {
      const bool batched = convention.find(name + " [B") != std::string::npos;
      result[name] = batched ? last_of(tensor) : tensor;
    }
  }
  return result;
}

json last_sequence(const json& c, const std::string& convention) {
  // Optional cases may couple the sequences of a batch.
  if (c.value("optional", false) || c["inputs"].empty()) return c;
  for (const char* member : {"inputs", "expected", "grad_out", "grad"}) {
    for (const auto& [name, tensor] : c[member].items()) {
      if (kBatched.count(name) == 0 || tensor["shape"].size() < 3) return c;
    }
  }
  const auto sequences = c["inputs"].begin().value()["shape"][0].get<std::size_t>();
  json result = c;
  for (const char* member : {"inputs", "expected", "grad_out", "grad"}) {
    for (auto& [name, tensor] : result[member].items()) tensor = last_of(tensor);
  }
  result["fixed"] = last_fixed(c["fixed"], convention, sequences);
  if (!c["mask"].is_null()) {
    result["mask"] = last_of(c["mask"]);
    const json& mask = result["mask"]["data"];
    if (std::none_of(mask.begin(), mask.end(), [](const json& m) { return m == 1; })) return c;
  }
  return result;
}

json reduced(const json& file, const std::filesystem::path& path, std::size_t limit) {
  if (!file.is_object() || !file.contains("cases") || !file["cases"].is_array()) {
    lra::fail(lra::ErrorKind::data, "{}: not a golden file", path.string());
  }
  json cases = json::array();
  std::vector<Candidate> candidates;
  for (const json& c : file["cases"]) {
    cases.push_back(last_sequence(c, file.value("convention", "")));
    candidates.push_back(
        {candidates.size(), cases.back().dump().size(), c.value("optional", false)});
  }
  json result = file;
  result["cases"] = json::array();
  for (const std::size_t i : choose(candidates, limit)) result["cases"].push_back(cases[i]);
  return result;
}

std::size_t run(const std::filesystem::path& from, const std::filesystem::path& to,
                std::size_t limit) {
  std::size_t total = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(from)) {
    if (entry.path().extension() != ".json") continue;
    const json file = reduced(lra::read_json(entry.path()), entry.path(), limit);
    const std::string text = file.dump() + "\n";
    lra::write_file_atomic(to / std::filesystem::relative(entry.path(), from), text);
    total += text.size();
  }
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::size_t limit = 0;
    const std::string_view bytes = argc == 4 ? argv[3] : "";
    const auto parsed = std::from_chars(bytes.data(), bytes.data() + bytes.size(), limit);
    if (bytes.empty() || parsed.ec != std::errc() || parsed.ptr != bytes.data() + bytes.size()) {
      lra::fail(lra::ErrorKind::usage, "usage: reduce_golden FROM TO BYTES");
    }
    fmt::print("{} bytes\n", run(argv[1], argv[2], limit));
    return 0;
  } catch (const lra::Error& e) {
    fmt::print(stderr, "reduce_golden: {}\n", e.what());
    return lra::exit_code(e.kind());
  }
}
