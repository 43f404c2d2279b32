#pragma once
// Checks of how a variant runs: beside another one, and with which kernels.

#include <string>

#include "attention/check/checks.h"

namespace lra::attention {

// Two instances at once give the bits that each gives alone.
void check_threads(const std::string& name, Findings& f);

// No primitive of a step is a reference kernel.
void check_kernels(const std::string& name, Findings& f);

}  // namespace lra::attention
