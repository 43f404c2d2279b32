// Tables of reviews, CSV and TSV.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/text/reviews.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool csv : {false, true}) {
    fuzz::read([&] {
      std::vector<text::Review> reviews;
      text::read_review_table(fuzz::text(data, size), "fuzz", csv, Split::train, reviews,
                              [](const std::string& message) { fuzz::look_at(message); });
      for (const text::Review& review : reviews) {
        if (review.content.empty() || review.label < 0 || review.label > 1) std::abort();
        fuzz::look_at(review.content);
      }
      fuzz::look_at(text::reviews_digest(reviews, Split::train));
    });
  }
  return 0;
}
