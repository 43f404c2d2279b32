// lra._core: the Python module's compiled part. Arrays are passed as numpy arrays; options, records
// and specifications as JSON text; tools/python/lra wraps them in Python classes. Computations and
// file reads release Python's lock.

#include <dlfcn.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/runtime.h"
#include "harness/cli/plugin.h"
#include "harness/run/evaluate.h"
#include "harness/run/saved_run.h"
#include "harness/version.h"
#include "harness/workers/sample.h"
#include "results/record/load.h"
#include "tools/python/attention_module.h"

namespace py = pybind11;

namespace lra::python {
namespace {

using engine::Shape;
using engine::Tensor;
using harness::SavedRun;
using harness::Workers;
using nlohmann::json;
using tasks::Token;

using Floats = py::array_t<float, py::array::c_style>;
using Tokens = py::array_t<Token, py::array::c_style>;

// The threads that compute, shared by all calls; replaced by set_threads().
class Threads {
 public:
  [[nodiscard]] std::shared_ptr<Workers> get() {
    const std::lock_guard lock(mutex_);
    if (!workers_) workers_ = std::make_shared<Workers>(0);
    return workers_;
  }
  void set(int count) {
    if (count < 0)
      fail(ErrorKind::usage, "set_threads: got {}, expected 0 (all cores) or more", count);
    auto workers = std::make_shared<Workers>(count);
    const std::lock_guard lock(mutex_);
    workers_ = std::move(workers);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<Workers> workers_;  // running calls keep the threads they began with
};
Threads& threads() {
  static Threads instance;
  return instance;
}

// Python exceptions by ErrorKind.
constexpr std::array<const char*, 7> kErrorNames{"UsageError", "ConfigError",  "DataError",
                                                 "ShapeError", "NumericError", "BackendError",
                                                 "IoError"};
std::array<PyObject*, kErrorNames.size()> error_classes{};

void define_errors(py::module_& m) {
  const auto define = [&m](const char* name, const py::tuple& bases, const char* doc) {
    PyObject* made =
        PyErr_NewExceptionWithDoc((std::string("lra.") + name).c_str(), doc, bases.ptr(), nullptr);
    if (made == nullptr) throw py::error_already_set();
    m.add_object(name, py::reinterpret_borrow<py::object>(made));
    return made;  // lives as long as the process
  };
  const auto builtin = [](PyObject* type) { return py::reinterpret_borrow<py::object>(type); };
  PyObject* base = define("Error", py::make_tuple(builtin(PyExc_Exception)),
                          "An error of lra; the message says where, what and what was expected.");
  const std::array<PyObject*, kErrorNames.size()> also{
      PyExc_ValueError,   PyExc_ValueError,   PyExc_ValueError, PyExc_ValueError,
      PyExc_RuntimeError, PyExc_RuntimeError, PyExc_OSError};
  const std::array<const char*, kErrorNames.size()> docs{
      "An unknown name or argument.",
      "An option out of its range, or contradictory options.",
      "Faulty files or data, or those of another run or task.",
      "Arrays of the wrong shape.",
      "Numbers that are no longer finite.",
      "The machine or a library does not support the operation.",
      "A file that cannot be read or written."};
  for (std::size_t i = 0; i < kErrorNames.size(); ++i) {
    error_classes[i] =
        define(kErrorNames[i], py::make_tuple(builtin(base), builtin(also[i])), docs[i]);
  }
  // NOLINTNEXTLINE(performance-unnecessary-value-param): the signature is pybind11's
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      PyErr_SetString(error_classes[static_cast<std::size_t>(error.kind())], error.what());
    }
  });
}

Shape shape_of(const py::array& array) {
  std::vector<std::int64_t> dims(array.shape(), array.shape() + array.ndim());
  if (dims.size() > std::size_t{Shape::kMaxRank}) {
    fail(ErrorKind::shape, "array: {} axes, expected at most {}", dims.size(), Shape::kMaxRank);
  }
  return Shape(std::span<const std::int64_t>(dims));
}

Array view_of(const Floats& array) { return {shape_of(array), array.data()}; }

Arrays views_of(const std::map<std::string, Floats>& arrays) {
  Arrays views;
  for (const auto& [name, array] : arrays) views[name] = view_of(array);
  return views;
}

Floats to_numpy(const Tensor& tensor) {
  const auto dims = tensor.shape().dims();
  Floats array(std::vector<py::ssize_t>(dims.begin(), dims.end()));
  std::copy_n(tensor.f32(), tensor.numel(), array.mutable_data());
  return array;
}

std::string traits_json(const std::string& name) {
  const attention::Traits& t = attention::registry().at(name).traits;
  OptionTable table;
  const auto made = attention::registry().at(name).create();
  made->options(table);
  const char* input = t.input == attention::Input::heads       ? "heads"
                      : t.input == attention::Input::shared_qk ? "shared_qk"
                                                               : "block";
  return json_text({{"name", attention::registry().canonical(name)},
                    {"label", t.label},
                    {"cite", t.cite},
                    {"input", input},
                    {"time", attention::growth_name(t.time)},
                    {"memory", attention::growth_name(t.memory)},
                    {"causal", t.causal},
                    {"cross", t.cross},
                    {"stochastic", t.stochastic},
                    {"options", table.describe()}});
}

std::unique_ptr<AttentionModule> make_attention(const std::string& name, const std::string& options,
                                                const std::array<std::int64_t, 6>& sizes, bool cls,
                                                bool pre_norm, std::uint64_t seed) {
  attention::Dimensions d;
  d.heads = sizes[0];
  d.head_dim = sizes[1];
  d.width = sizes[2];
  d.max_length = sizes[3];
  d.layer = sizes[4];
  d.layers = sizes[5];
  d.cls = cls;
  d.pre_norm = pre_norm;
  const py::gil_scoped_release unlocked;
  return std::make_unique<AttentionModule>(name, parse_json(options, "options", ErrorKind::config),
                                           d, seed);
}

py::tuple run_attention(AttentionModule& module, const std::map<std::string, Floats>& inputs,
                        const std::map<std::string, Floats>& parameters,
                        const std::vector<std::int64_t>& lengths,
                        const std::vector<std::int64_t>& key_lengths, bool training, double dropout,
                        std::uint64_t seed, const std::optional<Floats>& upstream) {
  AttentionCall call{
      views_of(inputs), views_of(parameters), lengths, key_lengths, training, dropout, seed, {}};
  if (upstream) call.upstream = view_of(*upstream);
  AttentionResult result;
  {
    const py::gil_scoped_release unlocked;
    const auto workers = threads().get();
    result = module.run(call, *workers);
  }
  py::dict gradients;
  for (const auto& [name, gradient] : result.gradients)
    gradients[name.c_str()] = to_numpy(gradient);
  return py::make_tuple(to_numpy(result.out), gradients);
}

// A view of the module's values: writing to it changes the module.
py::dict parameter_views(const py::object& self) {
  const auto& parameters = self.cast<const AttentionModule&>().parameters();
  py::dict views;
  for (const auto& entry : parameters.entries()) {
    const auto dims = entry.shape.dims();
    views[entry.name.c_str()] = Floats(std::vector<py::ssize_t>(dims.begin(), dims.end()),
                                       parameters.tensor(entry).f32(), self);
  }
  return views;
}

models::Pass evaluation_pass(std::uint64_t seed, std::size_t index) {
  models::Pass pass;
  pass.key = RandomKey(seed).of("evaluation").of(index);
  pass.fixed = RandomKey(seed).of("fixed");
  return pass;
}

std::vector<Floats> logits_of(const SavedRun& run, const std::vector<Tokens>& first,
                              const std::vector<Tokens>& second) {
  const bool pairs = run.model->task().head == Head::pair_class;
  if (pairs ? second.size() != first.size() : !second.empty()) {
    fail(ErrorKind::usage, "logits: {} second sequences, expected {} for task {}", second.size(),
         pairs ? first.size() : 0, run.spec.task);
  }
  const auto views = [](const std::vector<Tokens>& arrays) {
    std::vector<std::span<const Token>> spans;
    spans.reserve(arrays.size());
    for (const Tokens& array : arrays) {
      spans.emplace_back(array.data(), static_cast<std::size_t>(array.size()));
    }
    return spans;
  };
  const auto ids = views(first);
  const auto others = views(second);
  std::vector<Tensor> results(ids.size());
  {
    const py::gil_scoped_release unlocked;
    const auto workers = threads().get();
    workers->execute([&] {
      tbb::parallel_for(std::size_t{0}, ids.size(), [&](std::size_t i) {
        const engine::WorkerScope worker;
        const engine::ParameterScope parameters(run.model->parameters(), {});
        results[i] = run.model
                         ->logits(ids[i], pairs ? others[i] : std::span<const Token>(),
                                  evaluation_pass(static_cast<std::uint64_t>(run.spec.seed), i))
                         .tensor();
      });
    });
  }
  std::vector<Floats> arrays;
  arrays.reserve(results.size());
  for (const Tensor& logits : results) arrays.push_back(to_numpy(logits));
  return arrays;
}

std::string evaluate_json(const SavedRun& run, const std::string& task_options,
                          const std::string& data, std::int64_t examples, bool other_data) {
  const py::gil_scoped_release unlocked;
  json options = run.spec.task_options;
  const json changed = parse_json(task_options, "task options", ErrorKind::config);
  if (!changed.empty() && examples <= 0) {
    fail(ErrorKind::usage,
         "evaluate: other task options generate other data; state how many examples");
  }
  options.update(changed);
  const auto workers = threads().get();
  const harness::TestResult result =
      harness::evaluate_on(run, options, {data, {}, examples, other_data}, *workers);
  const harness::Evaluation& e = result.evaluation;
  return json_text({{"task", run.spec.task},
                    {"attention", run.spec.attention},
                    {"accuracy", e.accuracy},
                    {"loss", e.loss},
                    {"correct", e.correct},
                    {"counted", e.counted},
                    {"examples", e.examples},
                    {"exact", e.exact},
                    {"length", result.length},
                    {"data", result.data}});
}

// (tokens, second or None, label or labels) of examples of a split: of `limit` those that
// evaluate() takes.
py::list examples_of(const SavedRun& run, const std::string& split, std::int64_t limit,
                     const std::string& place, bool other_data) {
  harness::RunData opened;
  std::shared_ptr<const tasks::Dataset> data;
  std::vector<std::size_t> indices;
  tasks::Split which = tasks::Split::test;
  {
    const py::gil_scoped_release unlocked;
    bool known = false;
    for (const tasks::Split one : tasks::kSplits) {
      if (split != tasks::split_name(one)) continue;
      which = one;
      known = true;
    }
    if (!known) {
      throw Error(ErrorKind::usage, unknown_name_message("split", split, {"train", "val", "test"}));
    }
    opened = harness::open_data_of(run, {place, {}, {}}, other_data, which);
    data = opened.data.splits[tasks::split_index(which)];
    indices = harness::sample_of(data->size(), limit, "evaluate");
  }
  const auto copy = [](std::span<const Token> tokens) {
    return Tokens(static_cast<py::ssize_t>(tokens.size()), tokens.data());
  };
  const Head head = run.model->task().head;
  py::list list;
  for (const std::size_t index : indices) {
    const tasks::Example e = (*data)[index];
    py::object second = py::none();
    if (head == Head::pair_class) second = copy(e.second);
    py::object label = py::int_(e.label);
    if (head == Head::token) {
      label = py::array_t<std::int32_t>(static_cast<py::ssize_t>(e.token_labels.size()),
                                        e.token_labels.data());
    }
    list.append(py::make_tuple(copy(e.tokens), second, label));
  }
  return list;
}

py::dict run_parameters(const SavedRun& run) {
  const auto& parameters = run.model->parameters();
  py::dict copies;
  for (const auto& entry : parameters.entries()) {
    copies[entry.name.c_str()] = to_numpy(parameters.tensor(entry));
  }
  return copies;
}

// The records' JSON texts and what was skipped.
py::tuple results_of(const std::vector<std::string>& places, bool strict, bool all) {
  std::vector<std::string> records;
  std::string faults;
  {
    const py::gil_scoped_release unlocked;
    const auto loaded = results::load_records(
        {places.begin(), places.end()}, strict ? results::OnFault::refuse : results::OnFault::skip,
        all ? results::Members::all : results::Members::current);
    for (const results::Record& record : loaded.records) {
      json one = results::to_json(record);
      one["file"] = record.file.string();
      records.push_back(json_text(one));
    }
    faults = loaded.fault_summary();
  }
  return py::make_tuple(records, faults);
}

// A plugin expects symbols of the program; here this library provides them, but Python loads it
// privately.
void load_plugin(const std::string& path) {
  const py::gil_scoped_release unlocked;
  Dl_info self{};
  if (::dladdr(reinterpret_cast<const void*>(&traits_json), &self) == 0 ||
      ::dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) == nullptr) {
    fail(ErrorKind::backend, "load_plugin: cannot find lra's own library");
  }
  harness::load_plugin(path);
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled part of lra; use the package lra.";
  define_errors(m);
  m.attr("__version__") = harness::version();
  m.def("variants", [] { return attention::registry().names(); });
  m.def("traits", &traits_json, py::arg("name"));
  m.def("set_threads", [](int count) {
    const py::gil_scoped_release unlocked;
    threads().set(count);
  });
  m.def("threads", [] { return threads().get()->threads(); });
  m.def("load_plugin", &load_plugin, py::arg("path"));
  m.def("results", &results_of, py::arg("places"), py::arg("strict"), py::arg("all"));

  py::class_<AttentionModule>(m, "AttentionModule")
      .def(py::init(&make_attention), py::arg("name"), py::arg("options"), py::arg("sizes"),
           py::arg("cls"), py::arg("pre_norm"), py::arg("seed"))
      .def("run", &run_attention, py::arg("inputs"), py::arg("parameters"), py::arg("lengths"),
           py::arg("key_lengths"), py::arg("training"), py::arg("dropout"), py::arg("seed"),
           py::arg("upstream"))
      .def_property_readonly("name", &AttentionModule::name)
      .def_property_readonly("needs_x", &AttentionModule::needs_block_input)
      .def_property_readonly(
          "options", [](const AttentionModule& module) { return json_text(module.options()); })
      .def("parameters", &parameter_views);

  py::class_<SavedRun>(m, "SavedRun")
      .def(py::init([](const std::string& folder) {
             const py::gil_scoped_release unlocked;
             return std::make_unique<SavedRun>(harness::load_run(folder, *threads().get()));
           }),
           py::arg("folder"))
      .def("logits", &logits_of, py::arg("tokens"), py::arg("second"))
      .def("evaluate", &evaluate_json, py::arg("task_options"), py::arg("data"),
           py::arg("examples"), py::arg("other_data"))
      .def("examples", &examples_of, py::arg("split"), py::arg("limit"), py::arg("data"),
           py::arg("other_data"))
      .def("parameters", &run_parameters)
      .def_property_readonly(
          "token_labels", [](const SavedRun& run) { return run.model->task().head == Head::token; })
      .def_property_readonly(
          "spec", [](const SavedRun& run) { return json_text(harness::to_json(run.spec)); })
      .def_property_readonly(
          "record", [](const SavedRun& run) { return json_text(results::to_json(run.record)); });
}

}  // namespace lra::python
