#include "harness/run/init.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/run/safetensors.h"

namespace lra::harness {

nlohmann::json to_json(const InitUsed& used, const RunSpec& spec) {
  return {{"file", spec.init_file},
          {"sha256", spec.init_sha256},
          {"taken", used.taken},
          {"left", used.left}};
}

InitUsed take_weights(const RunSpec& spec, models::Model& model, Workers& workers) {
  const std::string content = read_file(spec.init_file);
  if (sha256_hex(content) != spec.init_sha256) {
    fail(ErrorKind::data, "{}: changed while the run started; got sha256 {}, expected {}",
         spec.init_file, sha256_hex(content).substr(0, 12), spec.init_sha256.substr(0, 12));
  }
  const TensorFile file = parse_safetensors(content, spec.init_file);
  const std::map<std::string, engine::Tensor> tensors(file.tensors.begin(), file.tensors.end());
  InitUsed used;
  const auto& parameters = model.parameters();
  workers.execute([&] {
    for (const auto& entry : parameters.entries()) {
      const auto found = tensors.find(entry.name);
      if (found == tensors.end() || !(found->second.shape() == entry.shape)) {
        used.left.push_back(entry.name);
        continue;
      }
      const engine::Tensor to = parameters.tensor(entry);
      std::memcpy(to.raw(), found->second.raw(), to.bytes());
      used.taken.push_back(entry.name);
    }
    model.parameters().refresh();
  });
  for (const auto& [name, tensor] : file.tensors) {
    if (std::find(used.taken.begin(), used.taken.end(), name) == used.taken.end()) {
      used.unused.push_back(name);
    }
  }
  if (used.taken.empty()) {
    fail(ErrorKind::data,
         "{}: no tensor fits; got {} tensors, the first '{}', expected names and shapes such as "
         "{} {}",
         spec.init_file, file.tensors.size(),
         file.tensors.empty() ? "" : file.tensors.front().first, parameters.entries().front().name,
         parameters.entries().front().shape.text());
  }
  return used;
}

}  // namespace lra::harness
