#pragma once
// Checks of a variant's numbers: against its definition, at large inputs, and in bf16.

#include <string>

#include "attention/check/checks.h"

namespace lra::attention {

// Output and all gradients agree with the definition, at every case of definition_cases().
void check_against_definition(const std::string& name, Findings& f);

// Large inputs stay finite, forwards and backwards.
void check_large_inputs(const std::string& name, Findings& f);

// bf16 agrees with f32 on the same values.
void check_bf16(const std::string& name, Findings& f);

}  // namespace lra::attention
