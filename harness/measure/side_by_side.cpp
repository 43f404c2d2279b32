#include "harness/measure/side_by_side.h"

#include <algorithm>
#include <exception>
#include <new>

#include "engine/runtime.h"
#include "harness/measure/child.h"

namespace lra::harness {
namespace {

using nlohmann::json;

// The child's side: reports the end of the warm-up, then does a round per request.
void serve(Channel& channel, const Subject& subject) {
  try {
    const auto rehearsal = subject.prepare([&channel](const std::string& text) {
      channel.send({{"progress", text}});
    });
    channel.send({{"ready", engine::peak_rss_bytes()}});
    while (channel.receive()) {
      rehearsal->round();
      channel.send({{"result", rehearsal->result()}});
    }
  } catch (const std::bad_alloc&) {
    channel.send({{"failure", "out of memory"}, {"out_of_memory", true}});
  } catch (const std::exception& error) {
    channel.send({{"failure", error.what()}, {"out_of_memory", false}});
  }
}

class Session {
 public:
  Session(std::vector<Subject>& subjects, const SideBySideOptions& options)
      : subjects_(subjects), options_(options), children_(subjects.size()) {}

  void execute() {
    for (std::size_t begin = 0; begin < subjects_.size() && !stopped();) {
      const std::size_t end = prepare(begin);
      for (int round = 0; round < options_.rounds; ++round) {
        for (std::size_t k = begin; k < end; ++k) {
          // Alternating directions: a drift within a round does not favour the first subject.
          const std::size_t i = round % 2 == 0 ? k : begin + end - 1 - k;
          if (children_[i] == nullptr) continue;
          children_[i]->channel().send("round");
          await(i);
        }
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (stopped()) subjects_[i].result.reset();  // some rounds may be missing
        children_[i].reset();
      }
      begin = end;
    }
  }

 private:
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  // Prepares subjects from `begin` on while there is memory for one more like the largest; returns
  // the end of the prepared range.
  std::size_t prepare(std::size_t begin) {
    std::int64_t total = 0;
    std::int64_t largest = 0;
    std::size_t i = begin;
    while (i < subjects_.size() && !stopped()) {
      const Subject& subject = subjects_[i];
      children_[i] =
          std::make_unique<Child>([&subject](Channel& channel) { serve(channel, subject); });
      const std::int64_t bytes = await(i);
      total += bytes;
      largest = std::max(largest, bytes);
      ++i;
      if (options_.memory_bytes > 0 && total + largest > options_.memory_bytes) break;
    }
    return i;
  }

  // Takes the subject's answer and returns its resident bytes if reported; drops a process without
  // an answer.
  std::int64_t await(std::size_t i) {
    Subject& subject = subjects_[i];
    while (const auto answer = children_[i]->channel().receive(options_.stop)) {
      if (answer->contains("progress")) {
        if (subject.progress) subject.progress(answer->at("progress"));
      } else if (answer->contains("ready")) {
        return answer->at("ready");
      } else if (answer->contains("result")) {
        subject.result = answer->at("result");
        return 0;
      } else {
        subject.failure = answer->at("failure");
        subject.out_of_memory = answer->at("out_of_memory");
        break;
      }
    }
    if (subject.failure.empty() && !stopped()) {
      subject.out_of_memory = children_[i]->ran_out_of_memory();
      subject.broke_off = !subject.out_of_memory;
      subject.failure =
          subject.out_of_memory ? "out of memory" : "the measuring process ended early";
    }
    subject.result.reset();
    children_[i].reset();
    return 0;
  }

  std::vector<Subject>& subjects_;
  const SideBySideOptions& options_;
  std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace

void measure_side_by_side(std::vector<Subject>& subjects, const SideBySideOptions& options) {
  Session(subjects, options).execute();
}

}  // namespace lra::harness
