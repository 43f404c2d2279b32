#pragma once
// Initial values of the decays e^{dt A} of Mamba-2 and its relatives: dt = softplus(. + bias), A
// = -e^{A_log}.

#include "attention/attention.h"

namespace lra::attention {

// Biases whose softplus is log-uniform between 0.001 and 0.1.
[[nodiscard]] engine::Initialiser step_biases();
// log of a uniform number in (low, high), at least 0.0001.
[[nodiscard]] engine::Initialiser log_rates(double low, double high);

// log(1 + e^x).
[[nodiscard]] double plain_softplus(double x);

}  // namespace lra::attention
