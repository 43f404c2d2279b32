// Suite files: text to JSON, and JSON against the schema; each fault is named.

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "embedded/suite_schema_files.h"
#include "engine/base/fuzz.h"
#include "engine/base/json.h"
#include "engine/base/json_schema.h"

using namespace lra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const JsonSchema schema(embedded::suite_schema_files().front().content, "suite");
  fuzz::read(
      [&] {
        const nlohmann::json file = parse_json(fuzz::text(data, size), "fuzz", ErrorKind::config);
        for (const SchemaFault& fault : schema.check(file)) {
          if (fault.message.empty()) std::abort();
          fuzz::look_at(fault.path);
        }
        if (parse_json(json_text(file), "again", ErrorKind::config) != file) std::abort();
      },
      ErrorKind::config);
  return 0;
}
