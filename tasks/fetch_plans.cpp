// The official addresses, as of the benchmark's README and the data sets' home pages.

#include <array>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "tasks/io/fetch.h"

namespace lra::tasks {
namespace {

// The benchmark's archive: a gzip-compressed tar of about 7.7 GB. Neither size nor digest were
// published. It holds a second folder lra_release inside the first; that one is the complete one.
constexpr const char* kRelease = "https://storage.googleapis.com/long-range-arena/lra_release.gz";
constexpr const char* kInner = "lra_release/lra_release/";

struct WholeArchive {
  std::string_view task;
  const char* url;
  std::int64_t bytes;
  const char* sha256;
};

// Home pages: ai.stanford.edu/~amaas/data/sentiment (Maas et al. 2011) and
// www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009); sizes and digests as TensorFlow Datasets
// and others check them.
constexpr std::array<WholeArchive, 2> kWhole{{
    {"text", "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz", 84125825,
     "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"},
    {"image", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", 170052171,
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
}};

}  // namespace

FetchPlan official_plan(std::string_view task, const nlohmann::json& options) {
  const std::string name = task_registry().canonical(task);
  FetchPlan plan;
  plan.task = name;
  for (const WholeArchive& whole : kWhole) {
    if (whole.task != name) continue;
    plan.url = whole.url;
    plan.bytes = whole.bytes;
    plan.sha256 = whole.sha256;
    plan.product = plan.url.substr(plan.url.rfind('/') + 1);
    return plan;
  }
  if (name == "listops") {
    plan.product = "listops-1000";
  } else if (name == "retrieval") {
    plan.product = "tsv_data";
  } else if (name == "pathfinder" || name == "pathx") {
    OptionTable table;
    const auto pathfinder = task_registry().at(name).create();
    pathfinder->options(table);
    table.assign(options, "tasks/" + name);
    const nlohmann::json values = table.values();
    plan.product = fmt::format("pathfinder{}/{}", values["size"].get<int>(),
                               values["difficulty"].get<std::string>());
  } else {
    fail(ErrorKind::usage, "tasks/{}: has no official download; make its data instead", name);
  }
  plan.url = kRelease;
  plan.folder = kInner + plan.product;
  return plan;
}

}  // namespace lra::tasks
