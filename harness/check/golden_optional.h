#pragma once
// Optional golden cases: modes that a variant need not offer.

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "harness/check/golden_cases.h"

namespace lra::harness {

// Sets `not_offered` if the variant does not offer this optional case of a file: causal or
// cross-attention without the trait, the operation inside a block, options that it refuses, or
// entries of hyper that no required case has and none of which it understands. `options` are what
// it makes of hyper. Sets `ignored` to the entries that it does not understand.
void look_for_the_unoffered(const GoldenFile& file, const GoldenCase& c, std::string_view variant,
                            const nlohmann::json& options, GoldenComputed& result);

}  // namespace lra::harness
