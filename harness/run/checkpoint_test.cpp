#include "harness/run/checkpoint.h"

#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/run/safetensors.h"
#include "tests/catch.h"

using lra::engine::Tensor;
using lra::harness::Checkpoint;
using lra::harness::CheckpointOwner;
using lra::harness::read_checkpoint;
using lra::harness::TensorFile;
using lra::harness::write_checkpoint;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

const CheckpointOwner kOwner{std::string(64, 'a'), std::string(64, 'd'), 100, 6};

Checkpoint sample() {
  Checkpoint c;
  c.state.step = c.updates = 14;
  c.state.total.steps = 14;
  c.state.started = "2026-01-31T12:00:00Z";
  c.metrics_bytes = 10;
  for (Tensor* t : {&c.master, &c.m, &c.v}) *t = Tensor::zeros({6});
  return c;
}

class Place {
 public:
  Place() : file_(fs::temp_directory_path() / fmt::format("lra-checkpoint-{}", ::getpid())) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { fs::remove(file_); }
  [[nodiscard]] const fs::path& file() const { return file_; }

  // What reading says of the sample after a change; empty if it is accepted.
  std::string fault_after(const std::function<void(TensorFile&)>& change) const {
    write_checkpoint(file_, kOwner, sample());
    TensorFile content = lra::harness::read_safetensors(file_);
    change(content);
    lra::harness::write_safetensors(file_, content);
    return fault();
  }
  std::string fault_of_state(const std::string& from, const std::string& to) const {
    return fault_after([&](TensorFile& file) {
      std::string& state = file.metadata.at("state");
      const std::size_t at = state.find(from);
      REQUIRE(at != std::string::npos);
      state.replace(at, from.size(), to);
    });
  }
  [[nodiscard]] std::string fault(const CheckpointOwner& owner = kOwner) const {
    try {
      static_cast<void>(read_checkpoint(file_, owner));
    } catch (const lra::Error& error) {
      CHECK(error.kind() == lra::ErrorKind::data);
      CHECK_THAT(error.what(), ContainsSubstring(file_.string()));
      return error.what();
    }
    return "";
  }

 private:
  fs::path file_;
};

}  // namespace

TEST_CASE("checkpoint: what is written is read, also without the data of earlier versions",
          "[unit]") {
  const Place place;
  Checkpoint written = sample();
  written.state.best_step = 3;
  written.best = Tensor::zeros({6});
  written.best.f32()[2] = 4;
  write_checkpoint(place.file(), kOwner, written);
  const Checkpoint read = read_checkpoint(place.file(), kOwner);
  CHECK(read.state.step == 14);
  CHECK(read.updates == 14);
  CHECK(read.metrics_bytes == 10);
  CHECK(read.best.f32()[2] == 4);
  CHECK(place.fault_after([](TensorFile& f) { f.metadata.erase("data_sha256"); }).empty());
}

TEST_CASE("checkpoint: the steps with each number of threads survive a change of it", "[unit]") {
  const Place place;
  Checkpoint c = sample();
  c.state = {};
  const auto steps = [&c](int count) {
    for (int i = 0; i < count; ++i) {
      c.state.add({}, 0.1);
      ++c.state.step;
      ++c.updates;
    }
  };
  c.updates = 0;
  c.state.go_on_with(2);
  steps(3);
  c.state.go_on_with(2);
  steps(2);
  c.state.go_on_with(8);  // stopped before a step
  c.state.go_on_with(1);
  steps(4);
  write_checkpoint(place.file(), kOwner, c);
  const auto read = read_checkpoint(place.file(), kOwner).state.stretches;
  REQUIRE(read.size() == 2);
  CHECK((read[0].threads == 2 && read[0].steps == 5));
  CHECK((read[1].threads == 1 && read[1].steps == 4));
  for (const char* stretch : {R"({"threads":0,"steps":3})", R"({"threads":1,"steps":-1})",
                              R"({"threads":1,"steps":15})"}) {
    CHECK_THAT(
        place.fault_of_state(R"("step":14)", fmt::format(R"("step":14,"stretches":[{}])", stretch)),
        ContainsSubstring("stretches; got "));
  }
}

TEST_CASE("checkpoint: another version, run or data are refused", "[unit]") {
  const Place place;
  write_checkpoint(place.file(), kOwner, sample());
  CheckpointOwner other = kOwner;
  other.data_sha256 = std::string(64, 'e');
  CHECK_THAT(place.fault(other), ContainsSubstring("other data; got sha256 dddddddddddd"));
  other = kOwner;
  other.spec_sha256 = std::string(64, 'b');
  CHECK_THAT(place.fault(other), ContainsSubstring("another version or run"));
  CHECK_THAT(place.fault_after([](TensorFile& f) { f.metadata["format"] = "lra-checkpoint/9"; }),
             ContainsSubstring("lra-checkpoint/9"));
}

TEST_CASE("checkpoint: what no run leaves is refused", "[unit]") {
  const Place place;
  for (const std::size_t tensor : {0U, 1U, 2U}) {
    CHECK_THAT(place.fault_after([&](TensorFile& f) {
      f.tensors.erase(f.tensors.begin() + static_cast<std::ptrdiff_t>(tensor));
    }),
               ContainsSubstring("got none, expected 6 numbers"));
    CHECK_THAT(
        place.fault_after([&](TensorFile& f) { f.tensors[tensor].second = Tensor::zeros({5}); }),
        ContainsSubstring("got 5 numbers, expected 6 numbers"));
  }
  CHECK_THAT(
      place.fault_after([](TensorFile& f) { f.tensors.emplace_back("other", Tensor::zeros({6})); }),
      ContainsSubstring("unknown tensor 'other'"));
  CHECK_THAT(place.fault_of_state(R"("best_step":-1)", R"("best_step":3)"),
             ContainsSubstring("tensor 'best'; got none"));
  CHECK_THAT(
      place.fault_after([](TensorFile& f) { f.tensors.emplace_back("best", Tensor::zeros({6})); }),
      ContainsSubstring("tensor 'best'; got 6 numbers, expected none"));
  for (const char* step : {"-5", "101", "4611686018427387904"}) {
    CHECK_THAT(place.fault_of_state(R"("step":14)", std::string(R"("step":)") + step),
               ContainsSubstring("expected 0 to 100"));
  }
  CHECK_THAT(place.fault_of_state(R"("step":14)", R"("step":15)"), ContainsSubstring("updates"));
  for (const char* stride : {"0", "-1"}) {
    CHECK_THAT(
        place.fault_of_state(R"("step_stride":1)", std::string(R"("step_stride":)") + stride),
        ContainsSubstring("step_stride"));
  }
  CHECK_THAT(place.fault_of_state(R"("correct":0)", R"("correct":-1)"), ContainsSubstring("sums"));
  CHECK_THAT(place.fault_of_state(R"("step_stride":1)", R"("step_stride":"x")"),
             ContainsSubstring("state: malformed"));
  for (const char* count : {"", "x", "-1", "1e3", "99999999999999999999"}) {
    CHECK_THAT(place.fault_after([&](TensorFile& f) { f.metadata["metrics_bytes"] = count; }),
               ContainsSubstring("metrics_bytes; got '"));
  }
}

TEST_CASE("checkpoint: every flipped bit is found", "[unit]") {
  const Place place;
  write_checkpoint(place.file(), kOwner, sample());
  const std::string whole = lra::read_file(place.file());
  for (std::size_t byte = 0; byte < whole.size(); byte += byte < 8 ? 1 : 37) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 4);
    lra::write_file_atomic(place.file(), damaged);
    INFO("byte " << byte);
    CHECK_FALSE(place.fault().empty());
  }
}
