// The command line itself: mistyped words, help, completion, the manual page, variables of others.

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "engine/base/resources.h"
#include "tests/catch.h"
#include "tests/process.h"

namespace lra::testing {

TEST_CASE("command line: a mistyped word is answered with near matches", "[run]") {
  const Scratch folder("near");
  const std::vector<std::pair<std::vector<std::string>, std::string>> lines{
      {{"trian"}, "unknown command 'trian'; did you mean train"},
      {{"chekc", "golden", "x"}, "did you mean check"},
      {{"data", "mkae", "listops"}, "did you mean make"},
      {{"train", "--task", "listops", "--attention", "linear", "--stes", "5"},
       "unknown option '--stes'; did you mean --seed, --set"},
      {{"run", "quick", "--dryrun"}, "did you mean --dry-run"},
      {{"help", "trian"}, "did you mean train"},
      {{"list", "tasks", "txet"}, "unknown task 'txet'; did you mean text"},
      {{"list", "metrcis"}, "WHAT: unknown word 'metrcis'; did you mean metrics?"},
      {{"list", "nothing"}, "see lra list --help"},
      {{"table", ".", "--format", "jsn"}, "--format: unknown word 'jsn'; did you mean json"},
      {{"train", "--seed", "x", "--task", "text"},
       "--seed: got 'x', expected a number from 0; see lra train --help"}};
  for (const auto& [arguments, expected] : lines) {
    const Ended o = run_program(arguments, folder);
    CHECK(o.code == 2);
    CHECK_THAT(o.err, ContainsSubstring(expected));
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
  }
}

TEST_CASE("command line: a number beyond its range is refused with the range, never clamped",
          "[run]") {
  const Scratch folder("range");
  const std::string huge = "99999999999999999999";
  const std::string out = folder / "made";
  const std::string signed_range = "expected an integer from 0 to 9223372036854775807";
  const std::string unsigned_range = "expected an integer from 0 to 18446744073709551615";
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> lines{
      {short_training(out, {"--seed", huge}), {"--seed: got '" + huge + "'", signed_range}},
      {short_training(out, {"--seed", "010"}),
       {"--seed: got '010', expected an integer without leading zeros"}},
      {{"tune", "quick", "--dry-run", "--seed", huge}, {"--seed: got '" + huge, signed_range}},
      {{"tune", "quick", "--dry-run", "--share", "nan"}, {"--share: ", "nan"}},
      {{"data", "fetch", "listops", "--out", out, "--bytes", huge},
       {"--bytes: got '" + huge, signed_range}},
      {{"data", "make", "listops", "--out", out, "--seed", huge},
       {"--seed: got '" + huge, unsigned_range}},
      {{"data", "make", "listops", "--out", out, "--seed", "-1"},
       {"--seed: got '-1'", unsigned_range}},
      {{"data", "make", "listops", "--out", out, "--train", huge}, {"--train", huge, "100000000"}},
      {{"data", "make", "listops", "--out", out, "--val", "100000001"}, {"--val", "100000000"}},
      {{"data", "check", "listops", "--test", huge}, {"--test", huge, "100000000"}},
      {{"study", "separation", "--seed", huge}, {"--seed: got '" + huge, unsigned_range}},
      {{"bench", "--n", "64," + huge}, {"--n", huge}},
      {{"run", "quick", "--dry-run", "--memory", "1e300"}, {"--memory", "1e300"}},
      {{"train", "--task", "listops", "--attention", "linear", "--threads", huge},
       {"--threads", huge}}};
  for (const auto& [arguments, expected] : lines) {
    const Ended o = run_program(arguments, folder, [] {
      const rlimit limit{1 << 20, 1 << 20};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    });
    INFO(o.err);
    CHECK(o.code == 2);
    for (const std::string& text : expected) CHECK_THAT(o.err, ContainsSubstring(text));
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
    CHECK_FALSE(std::filesystem::exists(out));
  }
  // The ends of the ranges are in them.
  const std::string last = "9223372036854775807";
  REQUIRE(run_program(short_training(out, {"--seed", last}), folder).code == 0);
  CHECK(read_json(std::filesystem::path(out) / "spec.json").at("seed").dump() == last);
}

TEST_CASE("command line: help says the range of each count, and one beyond it is refused",
          "[run]") {
  const Scratch folder("ranges");
  const std::map<std::string, std::map<std::string, std::string>> ranges{
      {"train", {{"--threads", "[0 - 4096]"}}},
      {"run",
       {{"--threads", "[0 - 4096]"}, {"--cores", "[1 - 4096]"}, {"--at-once", "[0 - 1000000]"}}},
      {"tune",
       {{"--threads", "[0 - 4096]"}, {"--trials", "[1 - 100000]"}, {"--rungs", "[1 - 16]"}}},
      {"bench",
       {{"--threads", "[0 - 4096]"},
        {"--n", "[1 - 16777216]"},
        {"--batch", "[1 - 1048576]"},
        {"--lanes", "[0 - 256]"},
        {"--cores", "[1 - 4096]"}}},
      {"evaluate",
       {{"--threads", "[0 - 4096]"},
        {"--lengths", "[1 - 1048576]"},
        {"--examples", "[1 - 1073741824]"}}},
      {"diagnose",
       {{"--threads", "[0 - 4096]"}, {"--samples", "[1 - 1000000]"}, {"--rows", "[1 - 1048576]"}}},
      {"study separation",
       {{"--threads", "[0 - 4096]"},
        {"--trials", "[1 - 1073741824]"},
        {"--steps", "[1 - 1073741824]"},
        {"--test", "[4 - 1073741824]"}}}};
  for (const auto& [command, options] : ranges) {
    const std::string text = run_line(command + " --help", folder).out;
    INFO(command);
    for (const auto& [option, range] : options) {
      CHECK_THAT(text, ContainsSubstring(" " + option + " INT:INT in " + range));
    }
  }
  const Ended o = run_line("train --task none --attention none --threads 4097", folder);
  CHECK(o.code == 2);
  CHECK_THAT(o.err, ContainsSubstring("--threads: ") && ContainsSubstring("4097"));
}

TEST_CASE("command line: options that another one leaves without effect are refused", "[run]") {
  const Scratch folder("effect");
  const std::vector<std::pair<std::vector<std::string>, std::string>> lines{
      {{"list", "tasks", "--json", "--format", "md"},
       "list: --format md has no effect with --json"},
      {{"bench", "--json", "--profile", "--n", "16"}, "bench: --profile has no effect with --json"},
      {{"study", "separation", "--steps", "5"},
       "study separation: --steps has no effect with --mode theory"},
      {{"study", "separation", "--mode", "noise", "--test", "40"},
       "study separation: --test has no effect with --mode noise"}};
  for (const auto& [arguments, expected] : lines) {
    const Ended o = run_program(arguments, folder);
    CHECK(o.code == 2);
    CHECK(o.out.empty());
    CHECK(o.err == "lra: " + expected + "\n");
  }
  CHECK(run_program({"list", "tasks", "--json", "--format", "json"}, folder).code == 0);
}

TEST_CASE("command line: lra new refuses the word for all of them", "[run]") {
  const Scratch folder("names");
  const std::string out = folder / "made";
  for (const char* kind : {"attention", "task"}) {
    INFO(kind);
    const Ended o = run_program({"new", kind, "all", "--plugin", "--out", out}, folder);
    CHECK(o.code == 2);
    CHECK_THAT(o.err, ContainsSubstring("got 'all', which commands take for each"));
    CHECK_FALSE(std::filesystem::exists(out));
  }
}

TEST_CASE("command line: help is --help, of every command", "[run]") {
  const Scratch folder("help");
  CHECK(run_program({"help"}, folder).out == run_program({"--help"}, folder).out);
  CHECK(run_program({"help", "data", "make"}, folder).out ==
        run_program({"data", "make", "--help"}, folder).out);
  const Ended run_help = run_program({"help", "run"}, folder);
  CHECK(run_help.code == 0);
  CHECK_THAT(run_help.out, ContainsSubstring("1 a run failed") && ContainsSubstring("4 a run"));
}

TEST_CASE("command line: the completion of bash knows commands, options and values", "[run]") {
  const Scratch folder("completion");
  const Ended script = run_program({"completion", "bash"}, folder);
  REQUIRE(script.code == 0);
  write_file_atomic(folder / "lra.bash", script.out);
  write_file_atomic(folder / "ask.sh",
                    "source \"$1\"; shift; COMP_WORDS=(\"$@\"); "
                    "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _lra; "
                    "echo \"${COMPREPLY[*]}\"\n");
  const auto ask = [&](const std::string& words) {
    const std::string line = fmt::format("bash '{}' '{}' {} > '{}'", folder / "ask.sh",
                                         folder / "lra.bash", words, folder / "reply");
    REQUIRE(::system(line.c_str()) == 0);
    return read_file(folder / "reply");
  };
  CHECK(ask("lra tr") == "train\n");
  CHECK_THAT(ask("lra data ''"), ContainsSubstring("make") && ContainsSubstring("fetch"));
  CHECK_THAT(ask("lra train --ta"), ContainsSubstring("--task"));
  CHECK(ask("lra train --attention cosf") == "cosformer\n");
  CHECK(ask("lra bench --attention softmax,cosf") == "softmax,cosformer\n");
  CHECK(ask("lra table --format cs") == "csv\n");
  CHECK(ask("lra train --task = listo") == "listops\n");
  CHECK_THAT(ask("lra run qui"), ContainsSubstring("quick"));
}

TEST_CASE("command line: the manual page has every command and clean requests", "[run]") {
  const Scratch folder("man");
  const Ended page = run_program({"man"}, folder);
  REQUIRE(page.code == 0);
  CHECK(page.out.starts_with(".TH LRA 1"));
  for (const char* part : {".SS train", ".SS data fetch", ".SS check variant", ".SH EXIT STATUS",
                           "\\fB\\-\\-attention\\fR"}) {
    CHECK_THAT(page.out, ContainsSubstring(part));
  }
  CHECK(page.out.find("\\-help\\-all") == page.out.rfind("\\-help\\-all"));
  write_file_atomic(folder / "lra.1", page.out);
  if (::system("command -v groff >/dev/null 2>&1") != 0) return;
  const std::string check = fmt::format("groff -man -ww -Wbreak -z -Tutf8 '{}' 2> '{}'",
                                        folder / "lra.1", folder / "warnings");
  CHECK(::system(check.c_str()) == 0);
  CHECK(read_file(folder / "warnings").empty());
}

TEST_CASE("command line: the help texts are those of lra.1, which a reader has approved", "[run]") {
  const Scratch folder("golden");
  const std::string page = run_program({"man"}, folder).out;
  const auto body = [](const std::string& text) { return text.substr(text.find('\n') + 1); };
  const std::string expected = read_file(std::filesystem::path(source_dir()) / "tests/lra.1");
  // After a change of the texts: lra man > tests/lra.1, and read the difference.
  CHECK((body(page) == body(expected)));
}

TEST_CASE("command line: OpenMP's binding does not take cores away", "[run]") {
  const Scratch folder("binding");
  const Ended o = run_program(short_training(folder / "x", {"--threads", "0"}), folder, [] {
    ::setenv("OMP_PROC_BIND", "true", 1);
    ::setenv("GOMP_CPU_AFFINITY", "0", 1);
  });
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto environment =
      read_json(std::filesystem::path(folder / "x") / "result.json").at("environment");
  CHECK(environment.at("threads") == usable_cpus());
  CHECK(environment.at("cores") == usable_cpus());
}

TEST_CASE("command line: more CPUs than the C library's masks have are all counted", "[run]") {
  const Scratch folder("many");
  const Ended o = run_program(
      {"train",      "--task", "induction",     "--attention", "linear",         "--preset",
       "tiny",       "--set",  "train.steps=2", "--set",       "data.train=8",   "--set",
       "data.val=4", "--set",  "data.test=4",   "--set",       "task.length=32", "--threads",
       "2",          "--out",  folder / "r"},
      folder, [] { ::setenv("LD_PRELOAD", LRA_MANY_CPUS, 1); });
  INFO(o.err);
  REQUIRE(o.code == 0);
  const auto environment =
      nlohmann::json::parse(read_file(folder / "r/result.json"))["environment"];
  CHECK(environment["cores"] == 1536);
  CHECK(environment["threads"] == 2);
}

TEST_CASE("check variant: a plugin is held to what its traits claim", "[run]") {
  const Scratch folder("plugin");
  const auto check = [&](const std::string& command, const std::string& variant) {
    return run_program({"--plugin", LRA_FAULTY_PLUGIN, "check", command, variant}, folder);
  };
  const Ended right = check("variant", "right");
  INFO(right.out << right.err);
  CHECK(right.code == 0);
  CHECK_THAT(right.out, ContainsSubstring("PASS right causal") &&
                            ContainsSubstring(" checks of 1 variant: ") &&
                            ContainsSubstring(" 0 failed"));
  const std::vector<std::pair<const char*, const char*>> wrong{
      {"ignores_causal", "FAIL ignores_causal causal"},
      {"hides_causal", "its traits say .causal = false"},
      {"hides_permutation", ".permutation_equivariant = false"},
      {"claims_draws", ".stochastic = true"},
      {"nan_if_padded", "FAIL nan_if_padded padding"},
      {"off", "FAIL off definition"}};
  for (const auto& [variant, expected] : wrong) {
    const Ended o = check("variant", variant);
    INFO(variant << "\n" << o.out << o.err);
    CHECK(o.code == 1);
    CHECK_THAT(o.out, ContainsSubstring(expected));
  }
  const Ended gradients = check("gradients", "nan_if_padded");
  INFO(gradients.out);
  CHECK(gradients.code == 1);
  CHECK_THAT(gradients.out, ContainsSubstring("out NaN") &&
                                ContainsSubstring("all failures have padded rows") &&
                                ContainsSubstring("relative to its largest"));
  CHECK_THAT(check("gradients", "off").out, ContainsSubstring("every setting fails"));
}

}  // namespace lra::testing
