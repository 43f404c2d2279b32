// Induction heads: after Olsson et al. 2022, "In-context Learning and Induction Heads", arXiv
// 2209.11895, in the form of Gu, Dao 2023, "Mamba", arXiv 2312.00752 (whose code was not found; the
// rules follow its description). N ordinary ids; a trigger stands at a random place and again at
// the end, where the label is the id that followed it. Ids: ordinary 1..A, trigger A + 1.

#include "engine/base/error.h"
#include "tasks/probes/probe_task.h"

namespace lra::tasks {
namespace {

class Induction final : public probes::ProbeTask {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "induction";
    info.title = "Induction heads";
    info.cite = "Olsson2022";
    info.head = Head::token;
    info.classes = A_ + 1;
    info.vocabulary = A_ + 2;
    info.max_length = N_;
    info.length_axis = {"length"};
    return info;
  }

  void options(OptionTable& t) override {
    t.integer("alphabet", A_, 2, 65000, "A, ordinary ids")
        .integer("length", N_, 4, 1 << 20, "N, tokens");
  }

  void check_options() const override {}

  [[nodiscard]] std::string settings() const override { return fmt::format("{} {}", A_, N_); }

  [[nodiscard]] probes::Drawn draw(RandomStream& random) const override {
    const auto N = static_cast<std::size_t>(N_);
    probes::Drawn drawn;
    for (std::size_t i = 0; i < N; ++i) {
      drawn.tokens.push_back(static_cast<Token>(1 + random.below(static_cast<std::uint32_t>(A_))));
    }
    const std::size_t place = random.below(static_cast<std::uint32_t>(N - 3));
    drawn.tokens[place] = drawn.tokens[N - 1] = static_cast<Token>(A_ + 1);
    drawn.labels.assign(N, probes::kNoLabel);
    drawn.labels[N - 1] = drawn.tokens[place + 1];
    return drawn;
  }

  [[nodiscard]] double chance() const override { return 1 / static_cast<double>(A_); }

 private:
  std::int64_t A_ = 16;
  std::int64_t N_ = 256;
};

LRA_TASK(induction, Induction);

}  // namespace
}  // namespace lra::tasks
