// safetensors files: every accepted tensor has all of its bytes.

#include "engine/base/fuzz.h"
#include "harness/run/safetensors.h"

using namespace lra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto file = harness::parse_safetensors(fuzz::text(data, size), "fuzz");
    for (const auto& [name, tensor] : file.tensors) {
      fuzz::look_at(name);
      fuzz::look_at({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()});
    }
    for (const auto& [key, value] : file.metadata) fuzz::look_at(value);
  });
  return 0;
}
