// Image: classify the object in a picture of 32 x 32 grey pixels, read as a sequence row by row;
// ten classes. CIFAR-10 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images",
// published without a licence text), grey and in pixels as in Tay et al. 2021 (arXiv 2011.04006).
// 45,000 / 5,000 / 10,000 pictures, 1,024 tokens, id = grey value + 1. The binary version's files,
// a folder or its tar.gz. Published: Transformer 42.4, S4 88.7. Where there are no pictures, the
// stand-in of stand_in.h.
//
// The split: the 5,000 training pictures whose names "data_batch_K.bin:I" (I from 0) have the
// smallest SHA-256 are validation. LRA's own split was not published; the digest of this split is
// below.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tasks/image/baselines.h"
#include "tasks/image/cifar.h"
#include "tasks/image/stand_in.h"
#include "tasks/io/archive.h"
#include "tasks/io/fetch.h"
#include "tasks/locate.h"
#include "tasks/pixel_mask.h"
#include "tasks/task.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using image::Picture;
using nlohmann::json;

// choice_digest() of the validation pictures of the whole training set.
constexpr const char* kValidationDigest =
    "c07e1c1aebf4489924bd51be9f33f9cc6cd6dbc537a2adaaff71a37e13871983";

struct File {
  const char* name;
  const char* sha256;  // of the official file
  Split split;
};

constexpr std::array<File, 6> kBatches{{
    {"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
     Split::train},
    {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
     Split::train},
    {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
     Split::train},
    {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
     Split::train},
    {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
     Split::train},
    {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
     Split::test},
}};
// The same pictures already converted to grey (tf), 1 + 1,024 bytes per record.
constexpr std::array<File, 2> kGreyFiles{{
    {"cifar10_gray_train.bin", "9177b0cee0c34a01e31e2a520c161c15ece701717bd1bcdf9f05d15abefeb5a6",
     Split::train},
    {"cifar10_gray_test.bin", "5e0edc77bd641a618ad2385d329cbe65f2878f79088c0bdcfae7ac241f38a441",
     Split::test},
}};

constexpr const char* kArchive = "cifar-10-binary.tar.gz";
constexpr const char* kWanted =
    "data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10's binary version), or "
    "cifar-10-binary.tar.gz";

fs::path archive_of(const fs::path& path) {
  static constexpr std::array<const char*, 1> kNames{kArchive};
  return archive_in(path, kNames);
}

// Whether a path contains CIFAR-10's Python version, which this program does not read.
bool is_pickled(const fs::path& path) {
  const std::array<fs::path, 4> marks{
      path.filename() == "cifar-10-python.tar.gz" ? path : path / "cifar-10-python.tar.gz",
      path / "data_batch_1", path / "batches.meta", path / "cifar-10-batches-py" / "data_batch_1"};
  return std::any_of(marks.begin(), marks.end(), is_file);
}

[[noreturn]] void fail_pickled(const fs::path& path) {
  fail(ErrorKind::data,
       "{}: CIFAR-10's Python version (pickled objects); expected its binary version, {} or its "
       "files data_batch_1.bin to test_batch.bin; try lra data fetch image",
       path.string(), kArchive);
}

bool any_batch(const fs::path& folder) {
  return std::any_of(kBatches.begin(), kBatches.end(),
                     [&folder](const File& file) { return is_file(folder / file.name); });
}

bool grey_files(const fs::path& folder) {
  return std::all_of(kGreyFiles.begin(), kGreyFiles.end(),
                     [&folder](const File& file) { return is_file(folder / file.name); });
}

std::string batch_record(std::size_t batch, std::size_t record) {
  return fmt::format("data_batch_{}.bin:{}", batch + 1, record);
}

class Image final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "image";
    info.title = "Image";
    info.without_files = Origin::stand_in;
    info.cite = "Krizhevsky2009";
    info.source = {.examples = "32 x 32 photographs in grey, pixel by pixel; ten classes",
                   .origin = "CIFAR-10 (Krizhevsky 2009), no licence text",
                   .counts = {45000, 5000, 10000},
                   .command = "lra data fetch image",
                   .otherwise = "stand-in: drawn shapes"};
    info.classes = 10;
    info.vocabulary = 256 + offset();
    info.max_length = max_length_;
    info.pixels = true;
    info.pixel_offset = offset();
    info.zero_is_padding = pixel_mask_ == PixelMask::google;
    return info;
  }

  void options(OptionTable& table) override {
    table.choice("gray", gray_, "formula for the grey values: TensorFlow's or PIL's")
        .choice(
            "pixel_mask", pixel_mask_,
            "google: ids 0..255, black pixels are left out as padding (quirk); none: ids 1..256")
        .integer("max_length", max_length_, 1, static_cast<std::int64_t>(image::kPixels),
                 "longer pictures are cut to so many pixels")
        .flag("subset", subset_, "accept a folder that has only some of the six batches");
  }

  [[nodiscard]] Source find(const OpenOptions& options) const override {
    json identity = {{"gray", name_of(gray_)},
                     {"pixel_mask", name_of(pixel_mask_)},
                     {"subset", subset_},
                     {"max_length", max_length_}};
    Source source;
    const auto accept = [](const fs::path& path) {
      return any_batch(path) || grey_files(path) || !archive_of(path).empty();
    };
    const std::vector<std::string> folders{"cifar-10-batches-bin", "cifar10", "image"};
    std::optional<Found> found;
    try {
      found = locate(options, folders, accept, kWanted);
    } catch (const Error&) {
      if (is_pickled(options.data)) fail_pickled(options.data);
      throw;
    }
    if (found) {
      source.path = found->path;
      source.via = found->via;
      std::vector<fs::path> files;
      for (const File& file : kBatches) {
        if (is_file(found->path / file.name)) files.push_back(found->path / file.name);
      }
      if (files.empty() && grey_files(found->path)) {
        for (const File& file : kGreyFiles) files.push_back(found->path / file.name);
      }
      if (files.empty()) files.push_back(archive_of(found->path));
      identity["files"] = fingerprint(files);
    } else {
      identity["stand_in"] = {image::kStandInVersion, options.seed,
                              wanted_counts(options, image::kStandInCounts)};
    }
    source.identity = json_text(identity);
    return source;
  }

  [[nodiscard]] std::vector<Predictor> predictors() const override {
    return image::predictors(offset());
  }

  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override {
    if (source.path.empty()) return stand_in(options, sink);
    if (any_batch(source.path) || !grey_files(source.path)) return read_batches(source, sink);
    return read_grey(source, sink);
  }

  // Home page: www.cs.toronto.edu/~kriz/cifar.html; size and digest as TensorFlow Datasets and
  // others check them.
  [[nodiscard]] FetchPlan download() const override {
    FetchPlan plan;
    plan.task = "image";
    plan.url = std::string("https://www.cs.toronto.edu/~kriz/") + kArchive;
    plan.bytes = 170052171;
    plan.sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd";
    plan.product = kArchive;
    return plan;
  }

 private:
  [[nodiscard]] std::int64_t offset() const { return pixel_mask_ == PixelMask::google ? 0 : 1; }

  void add(ExampleSink& sink, Split split, const Picture& picture) const {
    std::array<Token, image::kPixels> tokens;
    std::transform(picture.grey.begin(), picture.grey.end(), tokens.begin(),
                   [this](std::uint8_t value) { return static_cast<Token>(value + offset()); });
    Example example;
    example.tokens = std::span(tokens).first(static_cast<std::size_t>(max_length_));
    example.label = picture.label;
    sink.add(split, example);
  }

  Reading read_batches(const Source& source, ExampleSink& sink) const;
  Reading read_grey(const Source& source, ExampleSink& sink) const;
  Reading stand_in(const OpenOptions& options, ExampleSink& sink) const;

  // `pictures` as the description names them, `digest` of the validation list.
  [[nodiscard]] Reading reading_of(const Source& source, bool official, const char* pictures,
                                   const std::string& digest) const {
    Reading reading;
    reading.origin = official ? Origin::official : Origin::stand_in;
    reading.description =
        fmt::format("Image: {} in {} ({})", pictures, last_parts(source.path), source.via);
    reading.extra =
        std::make_shared<const json>(json{{"gray", name_of(gray_)},
                                          {"validation_list", digest},
                                          {"standard_split", digest == kValidationDigest}});
    return reading;
  }

  // Adds the training pictures, each with its name, as train and validation. Returns the list's
  // digest.
  std::string split_train(const std::vector<std::string>& names,
                          const std::vector<Picture>& pictures, ExampleSink& sink) const {
    const auto chosen = image::validation_choice(names);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      add(sink, chosen[i] ? Split::val : Split::train, pictures[i]);
    }
    return image::choice_digest(names, chosen);
  }

  image::Grey gray_ = image::Grey::tf;
  PixelMask pixel_mask_ = PixelMask::none;
  std::int64_t max_length_ = static_cast<std::int64_t>(image::kPixels);
  bool subset_ = false;
};

// The batches' contents by name, from a folder or an archive.
std::map<std::string, std::string> load_batches(const fs::path& path) {
  std::map<std::string, std::string> contents;
  if (any_batch(path)) {
    for (const File& file : kBatches) {
      if (!is_file(path / file.name)) continue;
      contents[file.name] = read_file(path / file.name);
    }
    return contents;
  }
  const fs::path archive = archive_of(path);
  const std::vector<std::string> patterns{"**/*_batch.bin", "**/data_batch_*.bin",
                                          "**/cifar-10-batches-py/*"};
  read_archive(archive, patterns, [&](ArchiveEntry& entry) {
    if (!entry.name().ends_with(".bin")) fail_pickled(archive);
    const std::string name = fs::path(entry.name()).filename().string();
    if (contents.contains(name)) {
      fail(ErrorKind::data, "{}: {}: occurs twice", archive.string(), entry.name());
    }
    contents[name] = entry.read_all(image::kBatchRecords * image::kColourRecord + 1);
  });
  if (contents.empty()) {
    fail(ErrorKind::data, "{}: contains no pictures; expected {}", archive.string(), kWanted);
  }
  return contents;
}

Reading Image::read_batches(const Source& source, ExampleSink& sink) const {
  const auto contents = load_batches(source.path);
  bool official = true;
  std::vector<std::string> names;
  std::vector<Picture> train;
  for (std::size_t b = 0; b < kBatches.size(); ++b) {
    const File& file = kBatches[b];
    const std::string where = (source.path / file.name).string();
    const auto content = contents.find(file.name);
    if (content == contents.end()) {
      official = false;
      if (subset_) continue;
      fail(ErrorKind::data, "{}: missing; expected six batches; try the option subset", where);
    }
    official = official && sha256_hex(content->second) == file.sha256;
    image::read_pictures(
        content->second, where, image::kColourRecord, image::kBatchRecords, gray_,
        [&](std::size_t record, const Picture& picture) {
          if (file.split == Split::test) {
            add(sink, Split::test, picture);
          } else {
            names.push_back(batch_record(b, record));
            train.push_back(picture);
          }
        },
        [&sink](const std::string& message) { sink.fault(message); });
  }
  return reading_of(source, official,
                    official                            ? "official CIFAR-10"
                    : contents.size() < kBatches.size() ? "a part of CIFAR-10's batches"
                                                        : "batches that are not the official ones",
                    split_train(names, train, sink));
}

Reading Image::read_grey(const Source& source, ExampleSink& sink) const {
  if (gray_ != image::Grey::tf) {
    fail(ErrorKind::config,
         "tasks/image: option gray: the pictures in {} are already grey (formula tf); set "
         "task.gray=tf",
         source.path.string());
  }
  bool official = true;
  std::vector<std::string> names;
  std::vector<Picture> train;
  for (const File& file : kGreyFiles) {
    const fs::path path = source.path / file.name;
    const std::string content = read_file(path);
    official = official && sha256_hex(content) == file.sha256;
    const bool test = file.split == Split::test;
    image::read_pictures(
        content, path.string(), image::kGreyRecord, image::kBatchRecords * (test ? 1 : 5),
        image::Grey::tf,
        [&](std::size_t record, const Picture& picture) {
          if (test) return add(sink, Split::test, picture);
          names.push_back(
              batch_record(record / image::kBatchRecords, record % image::kBatchRecords));
          train.push_back(picture);
        },
        [&sink](const std::string& message) { sink.fault(message); });
  }
  return reading_of(
      source, official,
      official ? "official CIFAR-10 in grey" : "other pictures than CIFAR-10's in grey",
      split_train(names, train, sink));
}

Reading Image::stand_in(const OpenOptions& options, ExampleSink& sink) const {
  const auto counts = wanted_counts(options, image::kStandInCounts);
  for (const Split split : kSplits) {
    std::vector<Picture> pictures(static_cast<std::size_t>(counts[split_index(split)]));
    oneapi::tbb::parallel_for(std::size_t{0}, pictures.size(), [&](std::size_t i) {
      pictures[i] = image::stand_in_picture(options.seed, split, i);
    });
    for (const Picture& picture : pictures) add(sink, split, picture);
  }
  Reading reading;
  reading.origin = Origin::stand_in;
  reading.description =
      fmt::format("Image: stand-in, ten kinds of drawings, seed {}", options.seed);
  reading.extra = std::make_shared<const json>(
      json{{"generator", image::kStandInVersion}, {"seed", options.seed}});
  return reading;
}

LRA_TASK(image, Image);

}  // namespace
}  // namespace lra::tasks
