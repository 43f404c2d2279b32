#pragma once
// Checks of what a variant says of itself: its metadata, its options, and the traits that a run can
// confirm.

#include <string>

#include "attention/check/checks.h"

namespace lra::attention {

// Label, citation, amplification and aliases are there.
void check_metadata(const std::string& name, Findings& f);

// Unknown options are refused, and `causal` is one where the traits say so.
void check_options(const std::string& name, Findings& f);

// Permuted tokens give the permuted output where the traits say so, and only there.
void check_permutation(const std::string& name, Findings& f);

// The same keys give the same bits; those of another call other bits where the traits say so.
void check_stochastic(const std::string& name, Findings& f);

// With causal = true, outputs see their own tokens and none that come later.
void check_causal(const std::string& name, Findings& f);

}  // namespace lra::attention
