#include "harness/run/protocol.h"

#include <algorithm>

#include "harness/run/spec.h"
#include "tasks/task.h"
#include "tasks/test_support.h"

using lra::testing::ContainsSubstring;
using nlohmann::json;
using namespace lra::harness;
using namespace lra::tasks;
using testing::error_of;

TEST_CASE("protocols: each one fits the options of each task", "[unit]") {
  CHECK(protocol_names() ==
        std::vector<std::string>{"exact", "google", "nystromformer", "s4", "skyformer"});
  for (const auto& name : protocol_names()) {
    for (const auto& task : task_registry().names()) {
      INFO(name << " " << task);
      const Protocol protocol = load_protocol(name, task);
      CHECK(protocol.name == name);
      CHECK(!protocol.description.empty());
      CHECK_NOTHROW(create_task(task, protocol.task));
      CHECK((name == "exact") == protocol.deviations.empty());
    }
  }
  CHECK_THAT(error_of([] { (void)load_protocol("googl", "text"); }, lra::ErrorKind::usage),
             ContainsSubstring("did you mean google?"));
}

TEST_CASE("protocols: exact has no quirk, whatever the preset says", "[unit]") {
  const Protocol exact = load_protocol("exact", "text");
  CHECK(apply_protocol(exact, "task", {{"max_length", 1000}, {"validation", "test"}}) ==
        json{{"max_length", 1000}, {"validation", "hash"}});
  CHECK(apply_protocol(exact, "model", {{"pooling", "mean_zeroed"}, {"layers", 2}}) ==
        json{{"pooling", "mean"}, {"layers", 2}});
  CHECK(apply_protocol(exact, "model", {{"pooling", "mean_all"}})["pooling"] == "mean");
  CHECK(apply_protocol(exact, "model", {{"pooling", "cls"}})["pooling"] == "cls");
  CHECK(apply_protocol(exact, "train", nullptr)["selection"] == "best_val");
}

TEST_CASE("protocols: known bugs are named deviations", "[unit]") {
  const auto has = [](const char* name, const char* task, const std::string& deviation) {
    const auto deviations = load_protocol(name, task).deviations;
    return std::find(deviations.begin(), deviations.end(), deviation) != deviations.end();
  };
  CHECK(has("google", "text", "task.validation: \"test\" instead of \"hash\""));
  CHECK(has("google", "text", "task.max_length: 1000 instead of the preset's"));
  CHECK(has("google", "image", "task.pixel_mask: \"google\" instead of \"none\""));
  CHECK(has("google", "retrieval", "model.pooling: \"first\" instead of the preset's"));
  CHECK(has("google", "retrieval", "model.pair_features: \"concat\" instead of \"nli\""));
  CHECK(has("google", "retrieval", "evaluation.drop_last: \"val_test\" instead of \"none\""));
  CHECK(has("google", "listops", "train.selection: \"last_step\" instead of \"best_val\""));
  CHECK(has("skyformer", "listops", "task.brackets: \"drop\" instead of \"keep\""));
  CHECK(has("nystromformer", "listops", "model.pooling: \"mean_zeroed\" instead of the preset's"));
  CHECK(has("s4", "image", "model.input: \"pixels\" instead of \"tokens\""));
  CHECK(has("s4", "image", "task.gray: \"pil\" instead of \"tf\""));
}

TEST_CASE("protocols: known bug: the last batch is evaluated unless a protocol drops it",
          "[unit]") {
  CHECK(evaluated_examples(load_protocol("exact", "listops").drop_last, true, 2000, 32) == 2000);
  CHECK(evaluated_examples(load_protocol("nystromformer", "listops").drop_last, true, 2000, 32) ==
        1984);
  CHECK(evaluated_examples(load_protocol("nystromformer", "listops").drop_last, false, 2000, 32) ==
        2000);
  CHECK(evaluated_examples(load_protocol("s4", "listops").drop_last, false, 2000, 32) == 1984);
}

TEST_CASE("protocols: a split that fills no batch is refused where incomplete ones are dropped",
          "[unit]") {
  using lra::tasks::Split;
  const auto why = [](const char* protocol, Split split, std::int64_t examples) {
    return error_of(
        [&] {
          lra::harness::require_whole_batch(load_protocol(protocol, "listops").drop_last, split,
                                            examples, 32);
        },
        lra::ErrorKind::config);
  };
  CHECK_THAT(why("nystromformer", Split::test, 31),
             ContainsSubstring("got 31 examples, expected at least a batch of 32"));
  CHECK(why("nystromformer", Split::test, 32).empty());
  CHECK(why("nystromformer", Split::val, 31).empty());
  CHECK_THAT(why("s4", Split::val, 31), ContainsSubstring("val split"));
  CHECK(why("s4", Split::val, 0).empty());
  CHECK(why("exact", Split::test, 1).empty());
}

TEST_CASE("protocols: files of another form are refused", "[unit]") {
  const testing::TempFolder folder;
  const auto why = [&folder](const std::string& content) {
    const auto path = folder.write("p.json", content).string();
    return error_of([&] { (void)load_protocol(path, "text"); });
  };
  CHECK_THAT(why("{}"), ContainsSubstring("not a protocol"));
  const std::string head = R"({"schema": "lra-protocol/1", "name": "mine", )";
  CHECK_THAT(why(head + R"("quirks": 1})"), ContainsSubstring("unknown key 'quirks'"));
  CHECK_THAT(why(head + R"("common": {"evaluation": {"drop_last": "some"}}})"),
             ContainsSubstring("expected none, test or val_test"));
  CHECK_THAT(why(head + R"("common": {"remarks": [1]}})"), ContainsSubstring("not of the form"));
  CHECK(why(head + R"("tasks": {"text": {"task": {"max_length": 5}}}})").empty());
  CHECK_THAT(why(R"({"schema": "lra-protocol/1", "name": "exact"})"),
             ContainsSubstring("built-in protocol"));
}

TEST_CASE("protocols: a file's dropped batches are part of the run", "[unit]") {
  const testing::TempFolder folder;
  const auto resolved = [&folder](const char* name, const std::string& members) {
    lra::harness::Request request;
    request.preset = "tiny";
    request.protocol =
        folder.write(name, R"({"schema": "lra-protocol/1")" + members + "}").string();
    return lra::harness::resolve(request);
  };
  const std::string drop = R"(, "common": {"evaluation": {"drop_last": "test"}})";
  const auto dropping = resolved("mine.json", drop);
  CHECK(dropping.protocol == "mine");  // the file's stem
  CHECK(lra::harness::drop_last_of(dropping) == DropLast::test);
  const auto back =
      lra::harness::spec_from_json(lra::harness::to_json(dropping), "the run's own text");
  CHECK(lra::harness::drop_last_of(back) == DropLast::test);
  CHECK(lra::harness::spec_digest(back) == lra::harness::spec_digest(dropping));
  const auto whole = resolved("mine.json", "");
  CHECK(lra::harness::drop_last_of(whole) == DropLast::none);
  CHECK(lra::harness::spec_digest(whole) != lra::harness::spec_digest(dropping));
  CHECK(resolved("other.json", R"(, "name": "mine")" + drop).protocol == "mine");
}
