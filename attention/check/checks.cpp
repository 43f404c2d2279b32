#include "attention/check/checks.h"

#include <exception>

#include "attention/check/execution_checks.h"
#include "attention/check/numeric_checks.h"
#include "attention/check/padding_checks.h"
#include "attention/check/trait_checks.h"
#include "attention/check/trial.h"

namespace lra::attention {

void Findings::at_most(double error, double tolerance, const std::string& what) {
  if (error <= tolerance) return;
  fault("{}: error {}, at most {:.1e} allowed", what, error_text(error), tolerance);
}

const std::vector<VariantCheck>& variant_checks() {
  static const std::vector<VariantCheck> checks{
      {"metadata", "metadata are complete", check_metadata},
      {"options", "unknown options are refused, and `causal` is one where the traits say so",
       check_options},
      {"permutation", "permuted tokens give the permuted output where the traits say so",
       check_permutation},
      {"stochastic", "draws at each call where the traits say so", check_stochastic},
      {"causal", "causal outputs do not see what comes later", check_causal},
      {"padding", "padding changes nothing where it is honoured", check_padding},
      {"padded rows", "the content of padded rows has no effect", check_padded_rows},
      {"large inputs", "large inputs stay finite, forwards and backwards", check_large_inputs},
      {"bf16", "bf16 agrees with f32 on the same values", check_bf16},
      {"threads", "two instances at once give the bits that each gives alone", check_threads},
      {"kernels", "no primitive of a step at n = 512 is a reference kernel", check_kernels},
      {"definition", "output and all gradients agree with the definition",
       check_against_definition},
  };
  return checks;
}

Findings run_check(const std::string& check, const std::string& variant) {
  const std::string name = registry().canonical(variant);
  std::vector<std::string> known;
  for (const VariantCheck& c : variant_checks()) {
    if (c.name != check) {
      known.emplace_back(c.name);
      continue;
    }
    Findings findings;
    try {
      c.run(name, findings);
    } catch (const std::exception& error) {
      findings.fault("{}", error.what());
    } catch (...) {
      findings.fault("an exception of unknown type");
    }
    return findings;
  }
  throw Error(ErrorKind::usage, unknown_name_message("check", check, known));
}

}  // namespace lra::attention
