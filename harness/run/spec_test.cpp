#include "harness/run/spec.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/presets.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

using nlohmann::json;

TEST_CASE("spec: an option that came later changes no identity while it is at its default",
          "[unit]") {
  Request request;
  request.task = "listops";
  request.attention = "softmax";
  const RunSpec now = resolve(request);
  json earlier = to_json(now);
  for (const char* name : {"rotary_base", "rotary_pairs", "attention_gate"}) {
    REQUIRE(earlier["model"].erase(name) == 1);
  }
  for (const char* name : {"lr_floor", "patience"}) REQUIRE(earlier["train"].erase(name) == 1);
  for (const char* name : {"logit_scale", "n0"}) {
    REQUIRE(earlier["attention_options"].erase(name) == 1);
  }
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) == spec_digest(now));
  const json changes{{"attention_gate", "head"}, {"rotary_base", 100}};
  for (const auto& [name, value] : changes.items()) {
    json other = to_json(now);
    other["model"][name] = value;
    CHECK(spec_digest(spec_from_json(other, "other")) != spec_digest(now));
  }
}

TEST_CASE("spec: lanes by batch and length, and eight of the same identity as when all had eight",
          "[unit]") {
  const auto spec_of = [](std::vector<std::string> settings) {
    Request request;
    request.task = "image";  // 1,024 tokens
    request.settings = std::move(settings);
    return resolve(request);
  };
  CHECK(lanes_of(spec_of({"train.batch_size=32"})) == 32);
  CHECK(lanes_of(spec_of({"train.batch_size=32", "lanes=12"})) == 12);
  const RunSpec small = spec_of({"train.batch_size=8"});
  CHECK(small.lanes == 0);
  CHECK(lanes_of(small) == 8);
  json earlier = to_json(spec_of({"train.batch_size=32"}));
  earlier["lanes"] = 0;
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) ==
        spec_digest(spec_of({"train.batch_size=32", "lanes=8"})));
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) !=
        spec_digest(spec_of({"train.batch_size=32"})));
}

// Written by commit 11da575, before the options that came later; its record has the digest
// 2f15cc05...
constexpr std::string_view kEarliestSpec =
    R"({"attention":"softmax","attention_options":{"causal":false,"form":"tiled"},
"data":{"counts":[8000,500,1000],"seed":0},"deviations":["train.batch_size: 32 instead of 16",
"train.steps: 800 instead of 200","task.max_tokens: 100 instead of 2000",
"task.min_tokens: 20 instead of 500"],"diagnostics":{"every":0,"rows":32,"samples":0,
"share":0.01},"lanes":0,"model":{"activation":"gelu_erf","attention_bias":true,
"attention_dropout":0.0,"dropout":0.0,"embedding_std":0.02,"feed_forward":true,"ff_width":64,
"final_norm":true,"head_layers":1,"heads":2,"init":"torch","input":"tokens","layers":1,
"norm":"pre","norm_eps":1e-05,"padded_length":0,"pair_features":"nli","pixel_mean":0.5,
"pixel_std":0.5,"pooling":"mean","positions":"learned","qkv_width":32,"vocabulary":0,
"width":32},"precision":"f32","preset":"tiny","protocol":"exact","schema":"lra-spec/1",
"seed":0,"task":"listops","task_options":{"brackets":"keep","max_args":10,"max_depth":10,
"max_length":2000,"max_tokens":100,"min_tokens":20,"verify":true},"task_version":1,
"train":{"batch_size":32,"beta1":0.9,"beta2":0.999,"clip_norm":0.0,"clip_value":0.0,
"cycle_momentum":false,"eps":1e-08,"eval_every":50,"eval_examples":200,"lr":0.003,
"optimizer":"adamw","schedule":"linear","selection":"best_val","steps":800,"warmup_steps":10,
"weight_decay":0.01}})";

TEST_CASE("spec: a width that the heads do not share is refused before anything runs", "[unit]") {
  Request request;
  request.settings = {"model.qkv_width=32", "model.heads=3"};
  CHECK_THROWS_WITH(resolve(request),
                    testing::ContainsSubstring("qkv_width 32 is not a multiple of heads 3"));
}

TEST_CASE("spec: one of the first version reads, with the same digest", "[unit]") {
  const RunSpec spec = spec_from_json(json::parse(kEarliestSpec), "earliest");
  CHECK(spec_digest(spec) == "2f15cc051820a9761e590e38cf864b6119148feef1831ec9021d5ef8aa5e300c");
  CHECK(spec.train.steps == 800);
  CHECK(spec.precision == Precision::f32);
}

// A preset that changes makes other runs: then its digest here changes, on purpose. Everything else
// that makes a digest another (a new option, another default) would orphan the runs that users
// have.
TEST_CASE("spec: the digest of every preset and task of the arena", "[unit]") {
  const std::map<std::string, std::map<std::string, std::string>> expected{
      {"google",
       {{"listops", "1acb7520e8fe"},
        {"text", "a2706c6fda2c"},
        {"retrieval", "c6055c943126"},
        {"image", "8cda357ac50c"},
        {"pathfinder", "f54f18e24b1d"},
        {"mqar", "144006e7af9c"}}},
      {"notfromscratch",
       {{"listops", "ad8493a65683"},
        {"text", "7009f8b7c8bb"},
        {"retrieval", "62a0e724c5e6"},
        {"image", "1467b61477aa"},
        {"pathfinder", "29d5212db87b"},
        {"mqar", "ab46b4b8fb04"}}},
      {"nystromformer",
       {{"listops", "815bf5ea6927"},
        {"text", "6fe5c65d54bc"},
        {"retrieval", "68d9a7d993fa"},
        {"image", "6b715970bc22"},
        {"pathfinder", "0741d77731e4"},
        {"mqar", "af0824011765"}}},
      {"probe",
       {{"listops", "8068ad2734af"},
        {"text", "b5fa20e8a95e"},
        {"retrieval", "cce05603e0d4"},
        {"image", "626cd826ea80"},
        {"pathfinder", "71afe8bb88be"},
        {"mqar", "d4c457e745a3"}}},
      {"s4",
       {{"listops", "503192b15894"},
        {"text", "2093837de099"},
        {"retrieval", "d18db7410d5d"},
        {"image", "bf6f046328ed"},
        {"pathfinder", "04b6aa9e3b7f"},
        {"mqar", "22525b547188"}}},
      {"skyformer",
       {{"listops", "bdf8c383342d"},
        {"text", "81f7f0d7d6f2"},
        {"retrieval", "cb85254a1e69"},
        {"image", "eda7cec5e945"},
        {"pathfinder", "eafd350aa127"},
        {"mqar", "1032900f5c70"}}},
      {"small",
       {{"listops", "c4f815d0c034"},
        {"text", "d39198ca76d7"},
        {"retrieval", "8bbcbb167e66"},
        {"image", "9fa4d0bdb8d9"},
        {"pathfinder", "20025be740d9"},
        {"mqar", "e98aa671fa35"}}},
      {"tiny",
       {{"listops", "41ed55b9cfe5"},
        {"text", "85d6f8e2a0b6"},
        {"retrieval", "fa5622f6d2da"},
        {"image", "7a23c485ce89"},
        {"pathfinder", "84e933b1d8bb"},
        {"mqar", "21fa4e4471e2"}}},
      {"zoology",
       {{"listops", "e1afe109849d"},
        {"text", "452cd0892d84"},
        {"retrieval", "6c7b48b57815"},
        {"image", "aaaddab7f54e"},
        {"pathfinder", "3a4bd97693ca"},
        {"mqar", "ad6d50780efb"}}}};
  for (const std::string& preset : models::preset_names()) {
    for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder", "mqar"}) {
      Request request;
      request.task = task;
      request.attention = "cosformer";
      request.preset = preset;
      request.precision = "f32";
      INFO(preset << " " << task);
      CHECK(spec_digest(resolve(request)).substr(0, 12) == expected.at(preset).at(task));
    }
  }
}

}  // namespace
}  // namespace lra::harness
