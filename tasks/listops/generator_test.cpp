#include "tasks/listops/generator.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "tasks/listops/tree.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using namespace lra::tasks;
using namespace lra::tasks::listops;

namespace {

std::vector<Row> rows_of(std::uint64_t seed, Split split, std::int64_t count, const Shape& shape,
                         bool lines = false) {
  Plan plan;
  plan.seed = seed;
  plan.counts.fill(count);
  plan.shapes.fill(shape);
  std::vector<Row> rows;
  generate_split(plan, split, lines, [&rows](const Row& row) { rows.push_back(row); }, {});
  return rows;
}

Shape tokens_between(std::int64_t low, std::int64_t high) {
  Shape shape;
  shape.min_tokens = low;
  shape.max_tokens = high;
  return shape;
}

// Counts of 20,020 rows of the original generator (google-research/long-range-arena,
// data/listops.py, unmodified, official settings): answers for each root operator, lengths in bins
// of 50 tokens from 500, operators at each depth, arguments of operators.
using Counts = std::vector<double>;
const Counts kMaxAnswers{3, 9, 25, 38, 79, 129, 257, 543, 1074, 2784};
const Counts kMedAnswers{59, 200, 486, 827, 1069, 1000, 680, 381, 171, 30};
const Counts kMinAnswers{2954, 1057, 535, 293, 139, 71, 24, 15, 15, 6};
const Counts kSumAnswers{489, 525, 490, 512, 502, 536, 503, 469, 533, 508};
const Counts kLengths{1345, 1297, 1241, 1200, 1109, 1074, 957, 948, 895, 812,
                      780,  782,  714,  652,  637,  569,  546, 497, 468, 444,
                      438,  399,  344,  326,  317,  270,  272, 252, 209, 226};
const Counts kOperatorsAtDepth{20020,  45246,  79170,  126985, 196948,
                               299757, 452657, 682193, 1026508};
const Counts kArity{320450, 322819, 324545, 324674, 325165, 326279, 327604, 328880, 329068};
// Labels of 100,000 rows of a simulation of the same algorithm, in percent.
const Counts kLabelPercent{17.04, 8.98, 7.75, 8.29, 9.05, 8.72, 7.59, 7.13, 8.62, 16.83};

struct Statistics {
  std::array<Counts, 4> answers;  // by root operator
  Counts labels = Counts(10), lengths = Counts(30), depth = Counts(10), arity = Counts(9);
  double mean_length = 0, mean_operators = 0;
};

Statistics statistics(const std::vector<Row>& rows) {
  Statistics s;
  s.answers.fill(Counts(10));
  for (const Row& row : rows) {
    ++s.labels[static_cast<std::size_t>(row.label)];
    ++s.answers.at(
        static_cast<std::size_t>(row.tree[0] - kMin))[static_cast<std::size_t>(row.label)];
    ++s.lengths[(row.tree.size() - 500) / 50];
    s.mean_length += static_cast<double>(row.tree.size()) / static_cast<double>(rows.size());
    std::vector<std::size_t> open;
    for (const Token token : row.tree) {
      if (token == kEnd) {
        ++s.arity[open.back() - 2];
        open.pop_back();
        continue;
      }
      if (!open.empty()) ++open.back();
      if (!is_operator(token)) continue;
      ++s.depth[open.size()];
      open.push_back(0);
      s.mean_operators += 1.0 / static_cast<double>(rows.size());
    }
  }
  return s;
}

}  // namespace

TEST_CASE("listops: the generated distribution is the official one", "[unit]") {
  const Statistics s = statistics(rows_of(11, Split::train, 20000, Shape()));
  // Chi-square with 9 degrees of freedom exceeds 27.9 once in 1,000 times, with 29 58.3, with 39
  // 72.1 (critical values at 0.001).
  Counts golden(10);
  for (std::size_t i = 0; i < 10; ++i) golden[i] = 1000 * kLabelPercent[i];
  CHECK(testing::chi_square(s.labels, golden) < 27.9);
  CHECK(testing::chi_square(s.lengths, kLengths) < 58.3);
  Counts ours;
  Counts theirs;
  const std::array<const Counts*, 4> answers{&kMinAnswers, &kMaxAnswers, &kMedAnswers,
                                             &kSumAnswers};
  for (std::size_t op = 0; op < 4; ++op) {
    ours.insert(ours.end(), s.answers[op].begin(), s.answers[op].end());
    theirs.insert(theirs.end(), answers[op]->begin(), answers[op]->end());
  }
  CHECK(testing::chi_square(ours, theirs) < 72.1);
  // Standard errors of the means: 391.7 / sqrt(20000) = 2.8 tokens, 55.6 / sqrt(20000) = 0.39
  // operators, on both sides; four of them.
  CHECK(std::abs(s.mean_length - 1028.3) < 4 * 2.8 * 1.42);
  CHECK(std::abs(s.mean_operators - 146.3) < 4 * 0.39 * 1.42);
  // Operators of one row depend on each other, so these are compared as shares.
  double total = 0;
  for (const double n : s.depth) total += n;
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(std::abs(s.depth[i] / total - kOperatorsAtDepth[i] / 2930000.0) < 0.003);
    CHECK(std::abs(s.arity[i] / total - kArity[i] / 2929484.0) < 0.001);
  }
}

TEST_CASE("listops: a flipped rule of the generator is noticed by the comparison", "[unit]") {
  Shape shape;
  shape.max_depth = 11;  // one level deeper than official
  const Statistics s = statistics(rows_of(11, Split::train, 5000, shape));
  CHECK(testing::chi_square(s.lengths, kLengths) > 58.3);
}

TEST_CASE("listops: one thread or four, the same rows", "[unit]") {
  std::vector<std::string> one;
  std::vector<std::string> four;
  const auto lines = [](std::vector<std::string>& result) {
    // So few different trees that some are met twice and made anew.
    for (const Row& row : rows_of(5, Split::train, 3000, tokens_between(3, 7), true)) {
      result.push_back(row.line);
    }
  };
  const oneapi::tbb::global_control four_threads(
      oneapi::tbb::global_control::max_allowed_parallelism, 4);
  oneapi::tbb::task_arena(1).execute([&] { lines(one); });
  oneapi::tbb::task_arena(4).execute([&] { lines(four); });
  CHECK(one == four);
  CHECK(std::set<std::string>(one.begin(), one.end()).size() == one.size());
}

TEST_CASE("listops: example i does not depend on how many are made", "[unit]") {
  const auto few = rows_of(5, Split::test, 40, tokens_between(20, 100));
  const auto many = rows_of(5, Split::test, 100, tokens_between(20, 100));
  for (std::size_t i = 0; i < few.size(); ++i) CHECK(few[i].tree == many[i].tree);
  CHECK(rows_of(6, Split::test, 1, tokens_between(20, 100))[0].tree != few[0].tree);
}

TEST_CASE("listops: splits share no tree, whatever their sizes", "[unit]") {
  std::set<std::vector<Token>> seen;
  std::size_t total = 0;
  for (const Split split : kSplits) {
    for (const Row& row : rows_of(5, split, 2000, tokens_between(3, 8))) {
      seen.insert(row.tree);
      ++total;
      CHECK((row.tree.size() > 3 && row.tree.size() < 8));
    }
  }
  CHECK(seen.size() == total);
}

TEST_CASE("listops: depth and arguments keep their bounds", "[unit]") {
  Shape shape = tokens_between(100, 200);
  shape.max_depth = 5;
  shape.max_args = 5;
  for (const Row& row : rows_of(2, Split::train, 300, shape)) {
    std::vector<int> open;
    for (const Token token : row.tree) {
      if (token == kEnd) {
        CHECK((open.back() >= 2 && open.back() <= 5));
        open.pop_back();
        continue;
      }
      if (!open.empty()) ++open.back();
      if (is_operator(token)) open.push_back(0);
      CHECK(open.size() <= 4);
    }
  }
}

TEST_CASE("listops: shapes that no tree has are refused", "[unit]") {
  Shape shape;
  shape.max_depth = 3;
  CHECK_THAT(testing::error_of([&] { Generator(0, Split::train, shape); }, lra::ErrorKind::config),
             ContainsSubstring("no tree has more than min_tokens 500"));
  // 10 digits, 4 operators on two digits at depth 2: 410 trees, of which train may have 3/4.
  Shape tiny = tokens_between(0, 5);
  tiny.max_depth = 2;
  CHECK_THAT(
      testing::error_of([&] { rows_of(0, Split::train, 411, tiny); }, lra::ErrorKind::config),
      ContainsSubstring("fewer than 411 different trees"));
}
