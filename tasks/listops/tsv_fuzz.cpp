// ListOps files: every accepted tree has a value, and is the same tree after being written again.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/listops/tree.h"
#include "tasks/listops/tsv.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto content = fuzz::text(data, size);
  for (const bool verify : {false, true}) {
    fuzz::read([&] {
      const auto add = [](std::span<const Token> tree, int label) {
        if (label < 0 || label > 9) std::abort();
        if (listops::evaluate(tree) < 0) std::abort();
        std::string source;
        listops::append_source(tree, source);
        std::vector<Token> again;
        listops::parse_source(source, 10, "again", again);
        if (!std::equal(tree.begin(), tree.end(), again.begin(), again.end())) std::abort();
      };
      listops::read_tsv(content, "fuzz.tsv", {.verify = verify}, add,
                        [](const std::string& message) { fuzz::look_at(message); });
    });
  }
  return 0;
}
