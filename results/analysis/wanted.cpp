#include "results/analysis/wanted.h"

#include "engine/base/error.h"

namespace lra::results {

void require_wanted(const std::vector<std::string>& wanted, const std::set<std::string>& known,
                    const std::string& kind, const std::string& of) {
  for (const auto& name : wanted) {
    if (known.count(name) != 0) continue;
    fail(ErrorKind::usage, "the {} have none such: {}", of,
         unknown_name_message(kind, name, {known.begin(), known.end()}));
  }
}

}  // namespace lra::results
