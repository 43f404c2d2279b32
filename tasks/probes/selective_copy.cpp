// Selective copying. Gu, Dao 2023, "Mamba", arXiv 2312.00752, section 4.1.1, after the copying task
// of Arjovsky, Shah, Bengio 2015, arXiv 1511.06464. M tokens stand among L places of noise; M
// markers follow, whose labels are the tokens in order. In the plain form the tokens stand at the
// beginning, which a model of fixed offsets solves. Ids of the paper plus 1: noise 1, letters
// 2..A-1, marker A. Markers are told apart by their positions alone.

#include <algorithm>

#include "engine/base/error.h"
#include "tasks/probes/probe_task.h"

namespace lra::tasks {
namespace {

class SelectiveCopy final : public probes::ProbeTask {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "selective_copy";
    info.title = "Selective copy";
    info.cite = "Gu2023";
    info.head = Head::token;
    info.classes = A_ + 1;
    info.vocabulary = A_ + 1;
    info.max_length = L_ + 2 * M_;
    info.length_axis = {"noise"};
    return info;
  }

  void options(OptionTable& t) override {
    t.integer("noise", L_, 1, 1 << 20, "L, places of noise")
        .integer("memory", M_, 1, 1 << 16, "M, tokens to copy")
        .integer("alphabet", A_, 3, 65000, "A, ids: noise, A - 2 letters, marker")
        .flag("selective", selective_, "tokens at random places; false: at the beginning")
        .flag("reverse", reverse_, "to be copied in reverse order");
  }

  void check_options() const override {}

  [[nodiscard]] std::string settings() const override {
    return fmt::format("{} {} {} {} {}", L_, M_, A_, selective_, reverse_);
  }

  [[nodiscard]] probes::Drawn draw(RandomStream& random) const override {
    const auto M = static_cast<std::size_t>(M_);
    const auto before = static_cast<std::size_t>(L_ + M_);
    std::vector<Token> letters;
    for (std::size_t i = 0; i < M; ++i) {
      letters.push_back(static_cast<Token>(2 + random.below(static_cast<std::uint32_t>(A_ - 2))));
    }
    std::vector<std::size_t> places;
    if (selective_) {
      places = probes::draw_weighted(random, std::vector<double>(before, 1.0), M);
      std::sort(places.begin(), places.end());
    } else {
      for (std::size_t i = 0; i < M; ++i) places.push_back(i);
    }
    probes::Drawn drawn;
    drawn.tokens.assign(before, Token{1});
    for (std::size_t i = 0; i < M; ++i) drawn.tokens[places[i]] = letters[i];
    drawn.tokens.resize(before + M, static_cast<Token>(A_));
    drawn.labels.assign(before, probes::kNoLabel);
    if (reverse_) std::reverse(letters.begin(), letters.end());
    drawn.labels.insert(drawn.labels.end(), letters.begin(), letters.end());
    return drawn;
  }

  [[nodiscard]] double chance() const override { return 1 / static_cast<double>(A_ - 2); }

 private:
  std::int64_t L_ = 4096;
  std::int64_t M_ = 16;
  std::int64_t A_ = 16;
  bool selective_ = true;
  bool reverse_ = false;
};

LRA_TASK(selective_copy, SelectiveCopy);

}  // namespace
}  // namespace lra::tasks
