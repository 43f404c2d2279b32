#pragma once
// Checks of rows behind the tokens of a sequence, with which a bucket is filled.

#include <string>

#include "attention/check/checks.h"

namespace lra::attention {

// Padding changes neither the output nor the gradients, where the traits say so.
void check_padding(const std::string& name, Findings& f);

// The content of padded rows has no effect, and they are 0 in the output and in the gradients.
void check_padded_rows(const std::string& name, Findings& f);

}  // namespace lra::attention
