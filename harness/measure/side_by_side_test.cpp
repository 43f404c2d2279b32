#include "harness/measure/side_by_side.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "engine/base/file.h"
#include "tests/catch.h"

using lra::harness::measure_side_by_side;
using lra::harness::Rehearsal;
using lra::harness::Subject;
using lra::harness::Tell;

namespace {

// Notes its name whenever it works; processes share the file.
class Noting final : public Rehearsal {
 public:
  Noting(std::filesystem::path file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {
    note();
  }
  void round() override {
    note();
    ++rounds_;
    if (name_ == "k") std::raise(SIGKILL);
    if (name_ == "t") throw std::runtime_error("went wrong");
  }
  [[nodiscard]] nlohmann::json result() override { return {{"name", name_}, {"rounds", rounds_}}; }

 private:
  void note() const { std::ofstream(file_, std::ios::app) << name_; }
  std::filesystem::path file_;
  std::string name_;
  int rounds_ = 0;
};

struct Notes {
  std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("lra-side-by-side-{}", ::getpid());
  ~Notes() { std::filesystem::remove(file); }
  [[nodiscard]] std::vector<Subject> subjects(const std::string& names) const {
    std::filesystem::remove(file);
    std::vector<Subject> subjects;
    for (const char name : names) {
      subjects.push_back({[this, name](const Tell& tell) {
                            tell(std::string("preparing ") + name);
                            return std::make_unique<Noting>(file, std::string(1, name));
                          },
                          {},
                          {},
                          {},
                          false});
    }
    return subjects;
  }
};

}  // namespace

TEST_CASE("side by side: prepared one by one, then rounds in turns, back and forth", "[unit]") {
  const Notes notes;
  auto subjects = notes.subjects("abc");
  std::string told;
  subjects[1].progress = [&told](const std::string& text) { told = text; };
  measure_side_by_side(subjects, {3, 0, nullptr});
  CHECK(lra::read_file(notes.file) == "abcabccbaabc");
  CHECK(told == "preparing b");
  for (const auto& subject : subjects) {
    REQUIRE(subject.result);
    CHECK(subject.result->at("rounds") == 3);
  }
}

TEST_CASE("side by side: without room, one after the other", "[unit]") {
  const Notes notes;
  auto subjects = notes.subjects("abc");
  measure_side_by_side(subjects, {2, 1, nullptr});
  CHECK(lra::read_file(notes.file) == "aaabbbccc");
  CHECK(subjects[2].result);
}

TEST_CASE("side by side: one that fails or is killed says so, the others go on", "[unit]") {
  const Notes notes;
  auto subjects = notes.subjects("atkb");
  subjects.push_back({[](const Tell&) -> std::unique_ptr<Rehearsal> { throw std::bad_alloc(); },
                      {},
                      {},
                      {},
                      false});
  measure_side_by_side(subjects, {3, 0, nullptr});
  CHECK(subjects[0].result->at("rounds") == 3);
  CHECK(subjects[3].result->at("rounds") == 3);
  CHECK(subjects[1].failure == "went wrong");
  CHECK_FALSE(subjects[1].out_of_memory);
  CHECK(subjects[2].broke_off);  // a kill by somebody else says nothing about memory
  CHECK_FALSE(subjects[2].out_of_memory);
  CHECK(subjects[4].out_of_memory);
  for (const std::size_t i : {1, 2, 4}) CHECK_FALSE(subjects[i].result);
}

TEST_CASE("side by side: a stop leaves nothing half measured", "[unit]") {
  const Notes notes;
  const std::atomic<bool> stop{true};
  auto subjects = notes.subjects("ab");
  measure_side_by_side(subjects, {3, 0, &stop});
  for (const auto& subject : subjects) {
    CHECK_FALSE(subject.result);
    CHECK(subject.failure.empty());
  }
}
