#pragma once
// Names that a command asks for, among those that there are.

#include <set>
#include <string>
#include <vector>

namespace lra::results {

// Throws Error(usage) "the results have none such: ..." with near matches for a wanted name that is
// not known; `of` names what is searched ("results"), `kind` what the name is of ("attention").
void require_wanted(const std::vector<std::string>& wanted, const std::set<std::string>& known,
                    const std::string& kind, const std::string& of);

}  // namespace lra::results
