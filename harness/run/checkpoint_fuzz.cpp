// A checkpoint's counters from its metadata: an accepted state is the same after being written
// again.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/base/fuzz.h"
#include "engine/base/json.h"
#include "harness/run/safetensors.h"
#include "harness/run/state.h"

using namespace lra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read_state = [](std::string_view text) {
    const auto state =
        harness::RunState::from_json(parse_json(text, "fuzz", ErrorKind::data), "fuzz");
    const nlohmann::json written = state.to_json();
    if (harness::RunState::from_json(written, "fuzz").to_json() != written) std::abort();
  };
  fuzz::read([&] { read_state(fuzz::text(data, size)); });
  fuzz::read([&] {
    const auto file = harness::parse_safetensors(fuzz::text(data, size), "fuzz");
    if (const auto state = file.metadata.find("state"); state != file.metadata.end()) {
      read_state(state->second);
    }
  });
  return 0;
}
