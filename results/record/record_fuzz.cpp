// result.json: an accepted record is written back unchanged.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/fuzz.h"
#include "results/record/record.h"

using namespace lra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto record = results::parse_record(fuzz::text(data, size), "fuzz");
    const nlohmann::json written = results::to_json(record);
    if (results::to_json(results::from_json(written, "again")) != written) std::abort();
  });
  return 0;
}
