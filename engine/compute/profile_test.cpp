#include "engine/compute/profile.h"

#include <thread>
#include <vector>

#include "engine/ops/elementwise.h"
#include "engine/ops/matmul.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

std::int64_t calls(const std::string& operation) {
  for (const profile::Entry& entry : profile::entries()) {
    if (entry.operation == operation) return entry.calls;
  }
  return 0;
}

}  // namespace

TEST_CASE("profile: off by default, then nothing is kept", "[unit]") {
  profile::reset();
  CHECK(!profile::enabled());
  { const profile::Scope scope("work"); }
  CHECK(profile::entries().empty());
}

TEST_CASE("profile: calls and time add up over threads, longest first", "[unit]") {
  profile::reset();
  profile::enable(true);
  profile::add("long", 3);
  profile::add("short", 0.25);
  profile::add("short", 0.5);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) const profile::Scope scope("threads");
    });
  }
  for (std::thread& thread : threads) thread.join();
  profile::enable(false);
  const std::vector<profile::Entry> entries = profile::entries();
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].operation == "long");
  CHECK(entries[0].seconds == 3);
  CHECK(entries[1].operation == "short");
  CHECK(entries[1].seconds == 0.75);
  CHECK(entries[1].calls == 2);
  CHECK(entries[2].calls == 400);
  CHECK(entries[2].seconds >= 0);
  profile::reset();
  CHECK(profile::entries().empty());
}

TEST_CASE("profile: a scope that began while it was off stays out", "[unit]") {
  profile::reset();
  {
    const profile::Scope scope("late");
    profile::enable(true);
  }
  {
    const profile::Scope scope("early");
    profile::enable(false);
  }
  CHECK(calls("late") == 0);
  CHECK(calls("early") == 1);
  profile::reset();
}

TEST_CASE("profile: operations are counted under their primitives' names", "[unit]") {
  profile::reset();
  profile::enable(true);
  Tape tape;
  const Value a = tape.leaf(uniform({5, 7}, 1, -1, 1));
  const Value b = tape.leaf(uniform({7, 3}, 2, -1, 1));
  tape.backward(relu(matmul(a, b)));
  profile::enable(false);
  CHECK(calls("matmul") == 3);
  CHECK(calls("eltwise") == 1);
  CHECK(calls("eltwise backward") == 1);
  profile::reset();
}

}  // namespace lra::engine::testing
