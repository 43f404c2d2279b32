#include "results/record/answers.h"

#include "tests/catch.h"

using lra::results::decode_answers;
using lra::results::encode_answers;

TEST_CASE("answers: bits come back as they were, and nothing else is taken for them", "[unit]") {
  CHECK(encode_answers({true, false, false, false, true}) == "88");
  CHECK(encode_answers({}).empty());
  for (std::size_t size = 0; size < 20; ++size) {
    std::vector<bool> right(size);
    for (std::size_t i = 0; i < size; ++i) right[i] = (i * i + size) % 3 == 0;
    CHECK(decode_answers(encode_answers(right), static_cast<std::int64_t>(size)) == right);
  }
  CHECK_FALSE(decode_answers("88", 9).has_value());
  CHECK_FALSE(decode_answers("88", 4).has_value());
  CHECK_FALSE(decode_answers("8g", 5).has_value());
  CHECK_FALSE(decode_answers("81", 5).has_value());  // a bit behind the last example
  CHECK_FALSE(decode_answers("", -1).has_value());
}
