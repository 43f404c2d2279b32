// Retrieval files: pairs with texts, documents by id, pairs of ids.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/retrieval/pairs.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto content = fuzz::text(data, size);
  const auto fault = [](const std::string& message) { fuzz::look_at(message); };
  const auto add = [](std::int32_t label, std::string_view first, std::string_view second) {
    if (label != 0 && label != 1) std::abort();
    if (first.empty() || second.empty()) std::abort();
    fuzz::look_at(first);
    fuzz::look_at(second);
  };
  fuzz::read([&] { retrieval::read_pairs(content, "fuzz.tsv", add, fault); });
  fuzz::read([&] {
    const auto documents = retrieval::read_documents(content, "fuzz.tsv", fault);
    retrieval::read_id_pairs(content, "fuzz.ids.tsv", documents, add, fault);
  });
  return 0;
}
