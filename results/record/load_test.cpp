#include "results/record/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::Error;
using lra::results::OnFault;
using lra::results::Record;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;
namespace results = lra::results;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / fmt::format("lra-results-{}", ::getpid());
  TemporaryFolder() { fs::create_directories(path); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("load: faulty files are named, and skipped with a count or refused", "[unit]") {
  const TemporaryFolder folder;
  const auto put = [&](const char* run, const std::string& text) {
    lra::write_file_atomic(folder.path / run / "result.json", text);
  };
  const std::string good = results::to_json(sample_record()).dump();
  put("a-good", good);
  put("b-cut", good.substr(0, 100));
  put("c-same", good);
  Record foreign = sample_record();
  foreign.environment.cpu = "Other CPU";
  put("d-other-machine", results::to_json(foreign).dump());
  put("e-good", results::to_json(sample_record("text")).dump());
  lra::write_file_atomic(folder.path / "a-good" / "spec.json", "not read");

  const auto loaded = results::load_records({folder.path, folder.path / "a-good"}, OnFault::skip);
  CHECK(loaded.files == 5);
  REQUIRE(loaded.records.size() == 3);
  CHECK(loaded.records[0].file == folder.path / "a-good" / "result.json");
  CHECK(loaded.records[1].environment.cpu == "Other CPU");
  CHECK(loaded.records[2].task.name == "text");
  REQUIRE(loaded.faults.size() == 2);
  CHECK_THAT(loaded.faults[1].message, ContainsSubstring("c-same") &&
                                           ContainsSubstring("already in") &&
                                           ContainsSubstring("a-good/result.json"));
  CHECK_THAT(loaded.fault_summary(), ContainsSubstring("skipped 2 of 5 result files:"));
  CHECK_THROWS_WITH(results::load_records({folder.path}, OnFault::refuse),
                    ContainsSubstring("b-cut") && ContainsSubstring("the text is truncated"));
  CHECK_THROWS_AS(results::load_records({folder.path / "none"}, OnFault::skip), Error);
  fs::create_directories(folder.path / "empty");
  CHECK_THROWS_WITH(results::load_records({folder.path / "empty"}, OnFault::skip),
                    ContainsSubstring("no result.json under"));
}

TEST_CASE("load: folders that cannot be read are named, and skipped or refused", "[unit]") {
  const TemporaryFolder folder;
  const fs::path closed = folder.path / "closed";
  lra::write_file_atomic(folder.path / "good" / "result.json",
                         results::to_json(sample_record()).dump());
  lra::write_file_atomic(closed / "run" / "result.json",
                         results::to_json(sample_record("text")).dump());
  constexpr auto kOpen = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                         fs::perms::others_read | fs::perms::others_exec;
  for (const char* name : {"", "good", "good/result.json"}) {
    fs::permissions(folder.path / name, kOpen);
  }
  // Root reads everything, and is another user meanwhile.
  struct Closed {
    explicit Closed(fs::path of) : path(std::move(of)) {
      fs::permissions(path, fs::perms::none);
      constexpr uid_t kNobody = 65534;
      if (root && ::seteuid(kNobody) != 0) root = false;
    }
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;
    ~Closed() {
      if (root) static_cast<void>(::seteuid(0) == 0);
      fs::permissions(path, fs::perms::owner_all);
    }
    fs::path path;
    bool root = ::geteuid() == 0;
  };
  {
    const Closed now(closed);
    const auto listed = [](const fs::path& path) {
      std::error_code code;
      const fs::directory_iterator at(path, code);
      return !code;
    };
    if (listed(closed) || !listed(folder.path)) {
      WARN("skipped: no user here reads one folder and not the other");
      return;
    }
    const auto loaded = results::load_records({folder.path}, OnFault::skip);
    CHECK(loaded.records.size() == 1);
    CHECK(loaded.files == 1);
    CHECK(loaded.folders == 1);
    REQUIRE(loaded.faults.size() == 1);
    CHECK(loaded.faults[0].file == closed);
    CHECK_THAT(loaded.fault_summary(), ContainsSubstring("skipped 1 folder:\n") &&
                                           ContainsSubstring(closed.string() + ": cannot read: "));
    CHECK_THROWS_WITH(results::load_records({folder.path}, OnFault::refuse),
                      ContainsSubstring(closed.string() + ": cannot read: "));
    CHECK_THROWS_WITH(results::load_records({closed}, OnFault::skip),
                      ContainsSubstring(closed.string() + ": cannot read: "));
    CHECK(results::find_series({folder.path}, "bench", OnFault::skip).faults.size() == 1);
    CHECK_THROWS_AS(results::find_series({folder.path}, "bench", OnFault::refuse), Error);
  }
  CHECK(results::load_records({folder.path}, OnFault::refuse).records.size() == 2);
}

TEST_CASE("load: trials of a search are counted and left out, and alone they are no results",
          "[unit]") {
  const TemporaryFolder folder;
  const auto put = [&](const char* run, const Record& record) {
    lra::write_file_atomic(folder.path / run / "result.json", results::to_json(record).dump());
  };
  put("a", results::testing::trial_record(sample_record()));
  CHECK_THROWS_WITH(results::load_records({folder.path}, OnFault::skip),
                    ContainsSubstring("got 1 trials of a search"));
  put("b", sample_record("text"));
  const auto loaded = results::load_records({folder.path}, OnFault::refuse);
  CHECK(loaded.trials == 1);
  REQUIRE(loaded.records.size() == 1);
  CHECK(loaded.records[0].task.name == "text");
}

TEST_CASE("load: the same run on other data is no repetition", "[unit]") {
  const TemporaryFolder folder;
  Record record = sample_record();
  lra::write_file_atomic(folder.path / "a" / "result.json", results::to_json(record).dump());
  record.task.data_sha256 = std::string(64, 'b');
  lra::write_file_atomic(folder.path / "b" / "result.json", results::to_json(record).dump());
  CHECK(results::load_records({folder.path}, OnFault::refuse).records.size() == 2);
}

TEST_CASE("load: runs that a suite no longer names are left out, or read on request", "[unit]") {
  const TemporaryFolder folder;
  const auto put = [&](const fs::path& at, int seed) {
    lra::write_file_atomic(folder.path / at / "result.json",
                           results::to_json(sample_record("listops", "softmax", seed)).dump());
  };
  put("s/runs/one", 1);
  put("s/runs/two", 2);
  put("other/runs/three", 3);  // no suite wrote there
  put("alone", 4);
  results::write_suite_runs(folder.path / "s", {"s", "a suite", {"two", "not-started"}});
  const auto count = [&](const char* place, results::Members members) {
    return results::load_records({folder.path / place}, OnFault::refuse, members).records.size();
  };
  CHECK(count("", results::Members::current) == 3);
  CHECK(count("s", results::Members::current) == 1);
  CHECK(count("s/runs", results::Members::current) == 1);
  CHECK(count("s", results::Members::all) == 2);
  CHECK(results::load_records({folder.path}, OnFault::refuse, results::Members::current).left_out ==
        1);
  CHECK(results::read_suite_runs(folder.path / "s")->description == "a suite");
  CHECK_FALSE(results::read_suite_runs(folder.path / "other").has_value());
  lra::write_file_atomic(folder.path / "s" / "suite-runs.json", "{}");
  CHECK_THROWS_WITH(count("s", results::Members::current),
                    ContainsSubstring("not a list of a suite"));
}
