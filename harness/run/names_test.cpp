// Names of data sets against the words of tables, which the tasks do not see.

#include <string>

#include "engine/base/error.h"
#include "results/table/table.h"
#include "tasks/reserved.h"
#include "tasks/task.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

TEST_CASE("names: no data set has the name of a column, and no task either", "[unit]") {
  for (const std::string& word : results::column_words()) {
    INFO(word);
    CHECK(tasks::is_reserved_name(word));
    CHECK(tasks::task_registry().find(word) == nullptr);
  }
  CHECK(tasks::is_reserved_name("model"));  // of --sort
  for (const char* word : {"", "topics", "own_data", "dat", "datas", "zz"}) {
    INFO(word);
    CHECK_FALSE(tasks::is_reserved_name(word));
  }
}

}  // namespace
}  // namespace lra::harness
