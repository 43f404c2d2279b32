// The user's own data sets: each form is read into the examples that were written, faults name file
// and line, and what the data leave open is settled by them.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/base/random.h"
#include "tasks/check.h"
#include "tasks/check_task.h"
#include "tasks/io/fetch.h"
#include "tasks/io/png.h"
#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using lra::testing::ContainsSubstring;
using nlohmann::json;
using testing::error_of;
using testing::MemorySink;
using testing::TempFolder;

struct Read {
  TaskInfo info;
  MemorySink sink;
  Reading reading;
};

// Settles and reads what is at `path`.
void read_into(Read& read, const fs::path& path, const fs::path& cache, const json& options) {
  const OpenOptions open = testing::options_for(path, cache);
  const auto task = create_task("file", options, open);
  read.info = task->info();
  read.reading = task->read(task->find(open), open, read.sink);
}

std::unique_ptr<Read> read_from(const TempFolder& folder, const std::string& name,
                                const json& options = json::object()) {
  auto read = std::make_unique<Read>();
  read_into(*read, folder.path() / name, folder.path() / "cache", options);
  return read;
}

std::string text_of(const std::vector<Token>& tokens) {
  std::string text;
  for (const Token token : tokens) text += static_cast<char>(token - 1);
  return text;
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string npy(const std::string& type, const std::string& shape, const std::string& data) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  std::string file = "\x93NUMPY";
  file += '\x01';
  file += '\0';
  file += static_cast<char>(header.size());
  file += '\0';
  return file + header + data;
}

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 0xFF);
  return bytes;
}

// A table of `rows` rows with labels 0..classes-1 in turn.
std::string table(int rows, int classes, const std::string& word) {
  std::string text = "label,text\n";
  for (int i = 0; i < rows; ++i) text += fmt::format("{},\"{} {}\"\n", i % classes, word, i);
  return text;
}

TEST_CASE("file: classes, vocabulary and length of a CSV follow from it", "[unit]") {
  const TempFolder folder;
  folder.write("five/train.csv", table(50, 5, "a, longer"));
  folder.write("five/test.csv", table(10, 5, "b"));
  const auto read = read_from(folder, "five");
  CHECK(read->info.classes == 5);
  CHECK(read->info.class_names == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(read->info.vocabulary == 257);
  CHECK(read->info.max_length == 12);
  CHECK(read->info.set == "five");
  CHECK(read->reading.origin == Origin::own);
  CHECK_THAT(read->reading.description, ContainsSubstring("val taken from train"));
  const auto& test = read->sink[Split::test];
  REQUIRE(test.size() == 10);
  CHECK(text_of(test[7].tokens) == "b 7");
  CHECK(test[7].label == 2);
  CHECK(read->sink[Split::val].size() == 5);
  CHECK(read->sink[Split::train].size() == 45);
  for (const auto& e : read->sink[Split::train]) {
    CHECK(std::stoi(text_of(e.tokens).substr(10)) % 5 == e.label);
  }
}

TEST_CASE("file: the options that were settled are the same for the task that is made of them",
          "[unit]") {
  const TempFolder folder;
  const auto path = folder.write("news.csv", table(60, 3, "x"));
  const OpenOptions open = testing::options_for(path, folder.path() / "cache");
  const auto values = [&](const json& options) {
    const auto task = create_task("file", options, open);
    OptionTable t;
    task->options(t);
    return t.values();
  };
  const json first = values(json::object());
  CHECK(first["labels"] == "0,1,2");
  CHECK(first["name"] == "news");
  CHECK(values(first) == first);
  const auto task = create_task("file", first);
  CHECK_FALSE(task->info().open);
  const TaskData data = task->open(open);
  CHECK(task->open(open).sha256 == data.sha256);
  CHECK(data.details()["labels"] == json({"0", "1", "2"}));
  CHECK(data.details()["origin"] == "own");
  // Another file of the same form is other data, and one without a class refuses nothing silently.
  folder.write("news.csv", table(60, 3, "y"));
  CHECK(task->open(open).sha256 != data.sha256);
  folder.write("news.csv", table(60, 4, "y"));
  CHECK_THAT(error_of([&] { static_cast<void>(task->open(open)); }),
             ContainsSubstring("news.csv:5: label; got '3', expected one of 0, 1, 2"));
}

TEST_CASE("file: shares follow content and seed, not the order, and equal texts stay together",
          "[unit]") {
  const TempFolder folder;
  std::vector<std::string> lines;
  for (int i = 0; i < 200; ++i) lines.push_back(fmt::format("{},text {}\n", i % 2, i / 2 % 90));
  const auto splits = [&](std::int64_t seed) {
    std::string text = "label,text\n";
    for (const auto& line : lines) text += line;
    folder.write("own.csv", text);
    const auto read = read_from(folder, "own.csv", {{"split_seed", seed}, {"test_share", 0.2}});
    std::array<std::set<std::string>, 3> result;
    for (const Split split : kSplits) {
      for (const auto& e : read->sink[split]) {
        result[split_index(split)].insert(text_of(e.tokens));
      }
    }
    return result;
  };
  const auto first = splits(0);
  CHECK(first[0].size() == 63);
  CHECK(first[1].size() == 9);
  CHECK(first[2].size() == 18);
  for (const auto& text : first[2]) CHECK(first[0].count(text) + first[1].count(text) == 0);
  std::reverse(lines.begin(), lines.end());
  CHECK(splits(0) == first);
  CHECK(splits(1) != first);
}

TEST_CASE("file: tables as published, headers by name, and what looks like one", "[unit]") {
  const TempFolder folder;
  std::string news;
  for (int i = 0; i < 40; ++i)
    news += fmt::format("\"{}\",\"Title {}\",\"Text, {}\"\n", 1 + i % 4, i, i);
  folder.write("ag/train.csv", news);
  folder.write("ag/test.csv", "\"3\",\"Wall St.\",\"Bears \"\"Claw\"\"\"\n");
  const auto both = read_from(folder, "ag");
  CHECK(text_of(both->sink[Split::test].at(0).tokens) == "Wall St. Bears \"Claw\"");
  CHECK(both->sink[Split::test].at(0).label == 2);
  const auto description = read_from(folder, "ag", {{"text_columns", "3"}});
  CHECK(text_of(description->sink[Split::test].at(0).tokens) == "Bears \"Claw\"");

  std::string own = "id\tgenre\tplot\n";
  for (int i = 0; i < 40; ++i) own += fmt::format("{}\t{}\tplot {}\n", i, i % 2 ? "b" : "a", i);
  folder.write("own.tsv", own);
  const auto named =
      read_from(folder, "own.tsv", {{"label_column", "genre"}, {"text_columns", "plot"}});
  CHECK(named->info.class_names == std::vector<std::string>{"a", "b"});
  CHECK(text_of(named->sink[Split::train].at(0).tokens).starts_with("plot"));
  // Without names every text is a separate class, or the header an example.
  CHECK_THAT(error_of([&] { read_from(folder, "own.tsv"); }),
             ContainsSubstring("different labels") && ContainsSubstring("task.label_column"));
  std::string unnamed = "genre,plot\n";
  for (int i = 0; i < 40; ++i) unnamed += fmt::format("{},plot {}\n", i % 3, i);
  folder.write("unnamed.csv", unnamed);
  CHECK_THAT(error_of([&] {
               const OpenOptions open =
                   testing::options_for(folder.path() / "unnamed.csv", folder.path() / "cache");
               static_cast<void>(create_task("file", nullptr, open)->open(open));
             }),
             ContainsSubstring("unnamed.csv:1: label 'genre' of no other line"));
  CHECK_THAT(error_of([&] {
               read_from(folder, "own.tsv", {{"label_column", "kind"}});
             }),
             ContainsSubstring("own.tsv:1: task.label_column: got columns 'id', 'genre', 'plot'"));
}

TEST_CASE("file: JSON lines hold texts, ids, pixels and pairs", "[unit]") {
  const TempFolder folder;
  folder.write(
      "t/train.jsonl",
      "{\"label\": \"up\", \"text\": \"caf\\u00e9\"}\n\n{\"label\": \"down\", \"text\": \"b\"}\n"
      "{\"label\": \"up\", \"text\": \"c\"}\n");
  folder.write("t/val.jsonl", "{\"label\": \"up\", \"text\": \"v\"}\n");
  folder.write("t/test.jsonl",
               "{\"label\": \"down\", \"text\": \"t\"}\n{\"label\": \"up\"}\n{\"label\": oops}\n");
  const auto text = read_from(folder, "t");
  CHECK(text_of(text->sink[Split::train].at(0).tokens) == "caf\xc3\xa9");
  CHECK(text->sink[Split::train].at(0).label == 1);  // after "down"
  CHECK(text->sink[Split::val].size() == 1);
  REQUIRE(text->sink.faults.size() == 2);
  CHECK_THAT(text->sink.faults[0], ContainsSubstring("test.jsonl:2: no member for the text") &&
                                       ContainsSubstring("label"));
  CHECK_THAT(text->sink.faults[1], ContainsSubstring("test.jsonl:3:11: not valid JSON"));

  const std::string ids =
      "{\"label\": 0, \"ids\": [0, 7, 300]}\n{\"label\": 1, \"ids\": [5, 0, 0]}\n";
  for (const char* name : {"train", "val", "test"})
    folder.write(fmt::format("i/{}.jsonl", name), ids);
  const auto plain = read_from(folder, "i", {{"kind", "tokens"}});
  CHECK(plain->info.vocabulary == 302);
  CHECK(plain->sink[Split::test].at(0).tokens == std::vector<Token>{1, 8, 301});
  const auto padded = read_from(folder, "i", {{"kind", "tokens"}, {"padding", 0}});
  CHECK(padded->sink[Split::test].at(1).tokens == std::vector<Token>{6});

  const std::string grey =
      "{\"label\": 0, \"pixels\": [[0, 0.5], [1, 0.25]]}\n"
      "{\"label\": 1, \"pixels\": [[1, 1], [1, 1]]}\n";
  for (const char* name : {"train", "val", "test"})
    folder.write(fmt::format("p/{}.jsonl", name), grey);
  const auto pixels = read_from(folder, "p", {{"kind", "pixels"}, {"high", 1}});
  CHECK(pixels->info.pixels);
  CHECK(pixels->sink[Split::train].at(0).tokens == std::vector<Token>{1, 129, 256, 65});
  CHECK_THAT(error_of([&] {
               read_from(folder, "p", {{"kind", "pixels"}});
             }),
             ContainsSubstring("pixel; got 0.5, expected an integer from 0 to 255"));

  const std::string pairs =
      "{\"label\": 1, \"premise\": \"a\", \"hypothesis\": \"bc\"}\n"
      "{\"label\": 0, \"premise\": \"d\", \"hypothesis\": \"e\"}\n";
  for (const char* name : {"train", "val", "test"})
    folder.write(fmt::format("q/{}.jsonl", name), pairs);
  const auto pair = read_from(folder, "q", {{"kind", "pair"}});
  CHECK(pair->info.head == Head::pair_class);
  CHECK(text_of(pair->sink[Split::val].at(0).second) == "bc");
}

TEST_CASE("file: folders of classes hold texts or pictures", "[unit]") {
  const TempFolder folder;
  for (const char* split : {"train", "test"}) {
    for (const char* label : {"neg", "pos"}) {
      for (int i = 1; i <= 4; ++i) {
        folder.write(fmt::format("tree/{}/{}/review_{}.txt", split, label, i),
                     fmt::format("own {} {} {}", split, label, i));
      }
    }
  }
  const auto tree = read_from(folder, "tree");
  CHECK(tree->info.class_names == std::vector<std::string>{"neg", "pos"});
  CHECK(tree->sink[Split::train].size() == 7);
  CHECK(tree->sink[Split::test].size() == 8);
  CHECK(text_of(tree->sink[Split::test].at(5).tokens) == "own test pos 2");
  folder.write("tree/train/pos/notes.md", "x");
  CHECK_THAT(read_from(folder, "tree")->sink.faults.at(0),
             ContainsSubstring("notes.md: not a .txt file"));

  const std::string colour = from_hex(
      "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f4944415478da63e012"
      "913b916204000471019bce4aedc50000000049454e44ae426082");
  const std::string palette = from_hex(
      "89504e470d0a1a0a0000000d4948445200000002000000010803000000c3fc8fb800000006504c54450102030405"
      "0695536f480000000b4944415478da6360600400000400022cde48ad0000000049454e44ae426082");
  for (int i = 0; i < 4; ++i) {
    folder.write(fmt::format("png/a/{}.png", i), colour);
    folder.write(fmt::format("png/b/{}.png", i), palette);
  }
  const json kind = {{"kind", "pixels"}, {"val_share", 0.4}, {"test_share", 0.2}};
  CHECK_THAT(error_of([&] { read_from(folder, "png", kind); }),
             ContainsSubstring("got 2 different examples"));
  folder.write("png/b/grey.png", from_hex("00"));  // what is faulty may be the reason
  CHECK_THAT(error_of([&] { read_from(folder, "png", kind); }),
             ContainsSubstring("grey.png: not a readable PNG"));
  for (const char* name : {"png/train", "png/val", "png/test"}) {
    folder.write(fmt::format("{}/a/1.png", name), colour);
    folder.write(fmt::format("{}/b/1.png", name), palette);
  }
  const auto png = read_from(folder, "png", {{"kind", "pixels"}});
  CHECK(png->sink[Split::val].at(0).tokens == std::vector<Token>{11, 21, 31, 201, 101, 51});
  CHECK(png->sink[Split::val].at(1).tokens == std::vector<Token>{2, 3, 4, 5, 6, 7});
  CHECK(png->info.max_length == 6);
  const auto grey = read_from(folder, "png", {{"kind", "pixels"}, {"colour", "grey"}});
  CHECK(grey->sink[Split::val].at(0).tokens == std::vector<Token>{19, 125});
  folder.write("png/test/a/2.png", encode_grey_png(std::vector<std::uint8_t>{1, 2, 3}, 1, 3));
  CHECK_THAT(error_of([&] {
               read_from(folder, "png", {{"kind", "pixels"}});
             }),
             ContainsSubstring("pixels; got 3, expected 6 as in the other pictures"));
  const std::string alpha = from_hex(
      "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da636064"
      "626601000019000b380454b40000000049454e44ae426082");
  CHECK_THAT(error_of([&] { static_cast<void>(decode_png(alpha, "alpha.png")); }),
             ContainsSubstring("alpha.png: PNG colour type; got 6"));
}

TEST_CASE("file: NumPy arrays, idx files and colour CIFAR, one permutation of all pixels",
          "[unit]") {
  const TempFolder folder;
  std::string x;
  for (char c = 0; c < 24; ++c) x += c;
  const std::string y("\0\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0", 16);
  for (const char* split : {"train", "val", "test"}) {
    folder.write(fmt::format("npy/x_{}.npy", split), npy("|u1", "4, 2, 3", x));
    folder.write(fmt::format("npy/y_{}.npy", split), npy("<i4", "4 ,", y));
  }
  const auto arrays = read_from(folder, "npy", {{"kind", "pixels"}});
  CHECK(arrays->info.class_names == std::vector<std::string>{"0", "2"});
  CHECK(arrays->sink[Split::test].at(1).tokens == std::vector<Token>{7, 8, 9, 10, 11, 12});
  CHECK(arrays->sink[Split::test].at(1).label == 1);
  CHECK_THAT(error_of([&] { read_from(folder, "npy"); }, ErrorKind::config),
             ContainsSubstring("kind; got text, expected tokens or pixels for arrays"));
  folder.write("npy/y_test.npy", npy("<i4", "3,", y.substr(4)));
  CHECK_THAT(error_of([&] {
               read_from(folder, "npy", {{"kind", "pixels"}});
             }),
             ContainsSubstring("y_test.npy: got 3 labels, expected one for each of 4 examples"));
  const auto refused = [&](const std::string& labels_file) {
    folder.write("npy/y_test.npy", labels_file);
    return error_of([&] { read_from(folder, "npy", {{"kind", "pixels"}}); });
  };
  CHECK_THAT(refused(npy("|u1", "4, 3", std::string(12, '\0'))),
             ContainsSubstring("y_test.npy: labels; got shape (4, 3), expected (4,)") &&
                 ContainsSubstring("one-hot"));
  CHECK_THAT(refused(npy("<f2", "4,", std::string(8, '\0'))),
             ContainsSubstring("y_test.npy: NumPy header: dtype; got '<f2', expected") &&
                 ContainsSubstring("<f4, <f8"));
  for (const int version : {0, 4, 255}) {
    std::string other = npy("<i4", "4,", y);
    other[6] = static_cast<char>(version);
    CHECK_THAT(refused(other), ContainsSubstring(fmt::format(
                                   "format version; got {}.0, expected 1, 2 or 3", version)));
  }

  const std::string images = big_endian(0x803) + big_endian(6) + big_endian(2) + big_endian(2) + x;
  const std::string labels = big_endian(0x801) + big_endian(6) + std::string("\1\2\1\2\1\2", 6);
  for (const char* split : {"train", "t10k"}) {
    folder.write(fmt::format("idx/{}-images-idx3-ubyte", split), images);
    folder.write(fmt::format("idx/{}-labels-idx1-ubyte", split), labels);
  }
  const json kind = {{"kind", "pixels"}};
  const auto digits = read_from(folder, "idx", kind);
  CHECK(digits->sink[Split::test].at(1).tokens == std::vector<Token>{5, 6, 7, 8});
  CHECK(digits->sink[Split::test].at(1).label == 1);
  CHECK(digits->sink[Split::train].size() == 5);
  const json permuted = {{"kind", "pixels"}, {"permute", 3}};
  const auto shuffled = read_from(folder, "idx", permuted);
  // The same order for every picture, and another than that of the file.
  const auto& a = shuffled->sink[Split::test].at(0).tokens;
  const auto& b = shuffled->sink[Split::test].at(5).tokens;
  for (std::size_t i = 0; i < 4; ++i) CHECK(b[i] == a[i] + 20);
  CHECK(a != digits->sink[Split::test].at(0).tokens);
  CHECK(std::is_permutation(a.begin(), a.end(), digits->sink[Split::test].at(0).tokens.begin()));
  folder.write("idx/t10k-images-idx3-ubyte", images.substr(0, images.size() - 1));
  CHECK_THAT(error_of([&] { read_from(folder, "idx", kind); }),
             ContainsSubstring("t10k-images-idx3-ubyte: got 23 bytes of data"));

  std::string batch;
  for (int i = 0; i < 4; ++i) {
    batch += static_cast<char>(i % 2);
    for (int plane = 0; plane < 3; ++plane) {
      batch += std::string(1024, static_cast<char>(10 * (i + 1) + plane));
    }
  }
  folder.write("cifar/data_batch_1.bin", batch);
  folder.write("cifar/test_batch.bin", batch);
  const auto cifar = read_from(folder, "cifar", kind);
  CHECK(cifar->info.max_length == 3072);
  const auto& pixel = cifar->sink[Split::test].at(1).tokens;
  CHECK(std::vector<Token>(pixel.begin(), pixel.begin() + 6) ==
        std::vector<Token>{21, 22, 23, 21, 22, 23});
  folder.write("cifar/test_batch.bin", batch + "x");
  CHECK_THAT(error_of([&] { read_from(folder, "cifar", kind); }),
             ContainsSubstring("test_batch.bin: size; got 12293 bytes"));
}

TEST_CASE("file: files of several sets, of one alone, and where torchvision puts them", "[unit]") {
  const TempFolder folder;
  const std::string images = big_endian(0x803) + big_endian(6) + big_endian(1) + big_endian(1);
  const std::string labels = big_endian(0x801) + big_endian(6) + std::string("\1\2\1\2\1\2", 6);
  const json kind = {{"kind", "pixels"}, {"val_share", 0.2}};
  for (const char* split : {"train", "t10k"}) {
    folder.write(fmt::format("MNIST/raw/{}-images-idx3-ubyte", split), images + "abcdef");
    folder.write(fmt::format("MNIST/raw/{}-labels-idx1-ubyte", split), labels);
    // The packed file beside the unpacked one is the same data.
    folder.write(fmt::format("MNIST/raw/{}-images-idx3-ubyte.gz", split), "never read");
  }
  CHECK(read_from(folder, "MNIST", kind)->sink[Split::test].size() == 6);
  CHECK_THAT(error_of([&] { read_from(folder, "MNIST/raw/train-images-idx3-ubyte", kind); }),
             ContainsSubstring("got one idx file, expected the folder"));
  // EMNIST's folder has six sets.
  folder.write("MNIST/raw/emnist-letters-train-images-idx3-ubyte", images + "uvwxyz");
  CHECK_THAT(error_of([&] { read_from(folder, "MNIST", kind); }),
             ContainsSubstring("got emnist-letters-train-images-idx3-ubyte and "
                               "train-images-idx3-ubyte, expected the files of one set"));
  folder.write("cifar/train.bin", std::string(2, '\0') + std::string(3072, 'x'));
  CHECK_THAT(error_of([&] { read_from(folder, "cifar/train.bin", kind); }),
             ContainsSubstring("got one of CIFAR's batches, expected the folder"));
}

TEST_CASE("file: an option that the form or the kind does not use is refused", "[unit]") {
  const TempFolder folder;
  std::string hundred;
  for (int i = 0; i < 20; ++i) {
    hundred += static_cast<char>(i % 2);       // coarse
    hundred += static_cast<char>(50 + i % 4);  // fine
    hundred += std::string(3072, static_cast<char>(i));
  }
  for (const char* split : {"train", "test"}) {
    folder.write(fmt::format("c100/{}.bin", split), hundred);
    for (const char* name : {"a", "b"}) {
      for (int i = 0; i < 20; ++i) {
        folder.write(fmt::format("tree/{}/{}/{}.txt", split, name, i), fmt::format("{}", i));
      }
    }
  }
  folder.write("t.csv", table(40, 2, "x"));
  const auto classes = [&](const json& options) {
    return read_from(folder, "c100", options)->info.class_names;
  };
  CHECK(classes({{"kind", "pixels"}}) == std::vector<std::string>{"50", "51", "52", "53"});
  CHECK(classes({{"kind", "pixels"}, {"label_column", "coarse"}}) ==
        std::vector<std::string>{"0", "1"});
  const auto refused = [&](const std::string& name, const json& options) {
    return error_of([&] { read_from(folder, name, options); }, ErrorKind::config);
  };
  CHECK_THAT(
      refused("c100", {{"kind", "pixels"}, {"label_column", "corse"}}),
      ContainsSubstring("label_column; got 'corse' for CIFAR-100's batches, expected fine or "
                        "coarse"));
  CHECK_THAT(refused("tree", {{"label_column", "2"}}), ContainsSubstring("they have no columns"));
  CHECK_THAT(refused("tree", {{"text_columns", "2"}}), ContainsSubstring("they have no columns"));
  CHECK_THAT(refused("t.csv", {{"colour", "grey"}}),
             ContainsSubstring("colour; got the kind text, expected pixels"));
  CHECK_THAT(refused("t.csv", {{"high", 1}}), ContainsSubstring("high; got the kind text"));
  CHECK_THAT(refused("t.csv", {{"padding", 0}}), ContainsSubstring("expected tokens"));
}

TEST_CASE("file: a part of data that come class by class has all classes", "[unit]") {
  const TempFolder folder;
  std::string rows = "label,text\n";
  for (int i = 0; i < 400; ++i) rows += fmt::format("{},text {}\n", i / 100, i);
  folder.write("sorted.csv", rows);
  OpenOptions open = testing::options_for(folder.path() / "sorted.csv", folder.path() / "cache");
  const auto task = create_task("file", nullptr, open);
  const auto texts = [&](std::int64_t count) {
    open.counts[0] = count;
    const TaskData data = task->open(open);
    CHECK_THAT(data.description, ContainsSubstring(fmt::format("cut to a sample of {} of", count)));
    std::set<std::int32_t> labels;
    std::set<std::string> found;
    const Dataset& train = data.split(Split::train);
    REQUIRE(std::cmp_equal(train.size(), count));
    for (std::size_t i = 0; i < train.size(); ++i) {
      labels.insert(train[i].label);
      found.insert(text_of({train[i].tokens.begin(), train[i].tokens.end()}));
    }
    CHECK(labels.size() == 4);
    CHECK(found.size() == train.size());
    return found;
  };
  const auto few = texts(40);
  const auto more = texts(80);
  CHECK(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  CHECK(few == texts(40));
}

TEST_CASE("file: a file without splits as a test alone, and what such a cache lacks", "[unit]") {
  const TempFolder folder;
  folder.write("lone.csv", table(40, 2, "x"));
  folder.write("folder/test.csv", table(30, 2, "x"));
  const json trained = {{"labels", "0,1"}, {"max_length", 10}, {"vocabulary", 257}};
  const auto opened = [&](const char* name, const json& more, bool whole) {
    OpenOptions open = testing::options_for(folder.path() / name, folder.path() / "cache");
    if (!whole) open.counts = {0, 0, -1};
    json options = trained;
    options.update(more);
    return create_task("file", options, open)->open(open);
  };
  const TaskData all = opened("lone.csv", {{"test_share", 1}}, false);
  CHECK(all.split(Split::test).size() == 40);
  CHECK_THAT(all.description, ContainsSubstring("lone.csv, all of it test"));
  CHECK(opened("lone.csv", json::object(), false).split(Split::test).size() == 4);
  const TaskData named = opened("folder", json::object(), false);
  CHECK(named.split(Split::test).size() == 30);
  CHECK_THAT(named.description, !ContainsSubstring("cut"));
  // What was read for its test alone is nothing to train on.
  CHECK_THAT(error_of([&] { opened("folder", json::object(), true); }),
             ContainsSubstring("no examples for train"));
  CHECK_THAT(error_of([&] {
               opened("lone.csv", {{"test_share", 1}}, true);
             }),
             ContainsSubstring("no examples for train"));
}

TEST_CASE("file: what must hold of every task holds, and it has nothing to fetch or make",
          "[unit]") {
  const TempFolder folder;
  folder.write("t.csv", table(120, 3, "x"));
  const auto make = [](const json& options) { return create_task("file", options); };
  for (const auto& finding :
       check_task(make, json::object(), folder.path() / "t.csv", folder.path() / "scratch")) {
    INFO(finding.check << ": " << (finding.faults.empty() ? "" : finding.faults.front()));
    CHECK(finding.faults.empty());
  }
  const auto task = create_task("file", nullptr);
  for (const std::string& said :
       {error_of([&] { static_cast<void>(task->download()); }, ErrorKind::usage),
        error_of([&] { static_cast<void>(task->make({}, folder.path())); }, ErrorKind::usage)}) {
    CHECK_THAT(said, ContainsSubstring("your own data; give --data PATH"));
  }
}

TEST_CASE("file: a given vocabulary, cut lengths, and the length that is too long", "[unit]") {
  const TempFolder folder;
  folder.write("w/vocabulary.txt", "the\nfilm\nis\ngood\n");
  std::string rows = "label,text\n";
  for (int i = 0; i < 20; ++i) rows += fmt::format("{},the film  is {} good\n", i % 2, i);
  for (const char* name : {"train", "val", "test"})
    folder.write(fmt::format("w/{}.csv", name), rows);
  const json words = {{"words", "vocabulary.txt"}, {"max_length", 4}};
  const auto read = read_from(folder, "w", words);
  CHECK(read->info.vocabulary == 6);
  CHECK(read->sink[Split::train].at(0).tokens == std::vector<Token>{2, 3, 4, 1});
  CHECK_THAT(read->reading.description, ContainsSubstring("60 sequences cut to 4"));
  folder.write("w/vocabulary.txt", "the\nfilm\nthe\n");
  CHECK_THAT(error_of([&] { read_from(folder, "w", words); }),
             ContainsSubstring("vocabulary.txt:3: word 'the' twice"));
}

TEST_CASE("file: data check names file and line, and what is no data set is refused", "[unit]") {
  const TempFolder folder;
  folder.write("d/train.csv", table(40, 2, "x") + "1\n2,unknown later\n");
  folder.write("d/test.csv", "label,text\n0,\n1,fine\n9,other\n");
  const OpenOptions open = testing::options_for(folder.path() / "d", folder.path() / "cache");
  const auto task = create_task("file", {{"labels", "0,1"}}, open);
  const DataCheck checked = check(*task, open);
  CHECK(checked.origin == Origin::own);
  REQUIRE(checked.faults.size() == 4);
  CHECK_THAT(checked.faults[0], ContainsSubstring("train.csv:42: columns; got 1, expected 2"));
  CHECK_THAT(checked.faults[1], ContainsSubstring("train.csv:43: label; got '2'"));
  CHECK_THAT(checked.faults[2], ContainsSubstring("test.csv:2: the document is empty"));
  CHECK_THAT(checked.faults[3], ContainsSubstring("test.csv:4: label; got '9'"));
  CHECK(checked.to_json()["class_names"] == json({"0", "1"}));
  const auto refused = [&](const std::string& name, const json& options, ErrorKind kind) {
    return error_of([&] { read_from(folder, name, options); }, kind);
  };
  folder.write("none/readme.pdf", "x");
  CHECK_THAT(refused("none", nullptr, ErrorKind::data),
             ContainsSubstring("no data set of a known form; got a folder of readme.pdf"));
  folder.write("one.csv", table(40, 1, "x"));
  CHECK_THAT(refused("one.csv", nullptr, ErrorKind::data), ContainsSubstring("got one class, '0'"));
  CHECK_THAT(refused("one.csv", {{"name", "listops"}}, ErrorKind::config),
             ContainsSubstring("which is the name of a task"));
  CHECK_THAT(refused("one.csv", {{"name", "My set"}}, ErrorKind::config),
             ContainsSubstring("name; got 'My set', expected at most 40 lower-case letters"));
  folder.write("My-set 2/train.csv", table(40, 2, "x"));
  CHECK(read_from(folder, "My-set 2")->info.set == "my_set_2");
  folder.write("text/train.csv", table(40, 2, "x"));
  CHECK(read_from(folder, "text")->info.set == "own_text");
  CHECK_THAT(refused("one.csv", {{"labels", "a,b,a"}}, ErrorKind::config),
             ContainsSubstring("labels: 'a' twice"));
  CHECK_THAT(
      error_of([] { static_cast<void>(create_task("file", nullptr)->find({})); }, ErrorKind::usage),
      ContainsSubstring("give --data PATH"));
}

TEST_CASE("file: a link among the data that leads nowhere is refused with its target", "[unit]") {
  const TempFolder folder;
  const std::string ids(8, '\0');
  const std::string labels(2, '\1');
  const std::string pixels =
      big_endian(0x803) + big_endian(2) + big_endian(2) + big_endian(2) + ids;
  const std::string digits = big_endian(0x801) + big_endian(2) + labels;
  folder.write("csv/train.csv", table(40, 2, "x"));
  folder.write("csv/test.csv", table(4, 2, "y"));
  folder.write("lines/train.jsonl", "{\"label\": \"up\", \"text\": \"v\"}\n");
  folder.write("arrays/x_train.npy", npy("<i4", "2, 1", ids));
  folder.write("arrays/y_train.npy", npy("|u1", "2,", labels));
  for (const char* name : {"idx", "raw/raw"}) {
    folder.write(fmt::format("{}/train-images-idx3-ubyte", name), pixels);
    folder.write(fmt::format("{}/train-labels-idx1-ubyte", name), digits);
  }
  folder.write("cifar/data_batch_1.bin", "x");
  folder.write("splits/train/a/1.txt", "x");
  folder.write("splits/train/b/1.txt", "y");
  folder.write("classes/a/1.txt", "x");
  folder.write("classes/b/1.txt", "y");
  folder.write("class/a/1.txt", "x");
  const std::vector<std::pair<std::string, std::string>> links{
      {"csv", "val.csv"},
      {"lines", "test.jsonl"},
      {"arrays", "x_test.npy"},
      {"idx", "t10k-images-idx3-ubyte.gz"},
      {"raw", "raw/t10k-labels-idx1-ubyte"},
      {"cifar", "test_batch.bin"},
      {"splits", "test"},
      {"classes", "c"},
      {"classes", "a/2.txt"},
      {"class", "b"}};
  for (const auto& [data, name] : links) {
    INFO(data << ": " << name);
    const fs::path link = folder.path() / data / name;
    fs::create_symlink("nowhere", link);
    const json options = data == "arrays" || data == "idx" || data == "raw" || data == "cifar"
                             ? json{{"kind", "pixels"}}
                             : json();
    CHECK_THAT(error_of([&] { read_from(folder, data, options); }),
               ContainsSubstring(link.string() + ": cannot read: a link to nowhere"));
    fs::remove(link);
  }
  // What is no data may lead nowhere.
  fs::create_symlink("nowhere", folder.path() / "csv" / "notes");
  fs::create_symlink("nowhere", folder.path() / "csv" / ".val.csv");
  CHECK(read_from(folder, "csv")->sink[Split::val].size() == 4);
}

TEST_CASE("file: a split in another form than train's is refused, not drawn from train", "[unit]") {
  const TempFolder folder;
  const std::string rows = table(40, 2, "x");
  const std::string lines = "{\"label\": 0, \"text\": \"v\"}\n{\"label\": 1, \"text\": \"w\"}\n";
  const auto refused = [&](const std::string& name, const std::string& first,
                           const std::string& second) {
    INFO(name);
    const std::string said = error_of([&] { read_from(folder, name); });
    CHECK_THAT(said, ContainsSubstring(fmt::format("got {} and {}, expected", first, second)));
    return said;
  };
  int number = 0;
  for (const char* other : {"test.jsonl", "val.jsonl", "Test.csv.gz", "dev.parquet", "x_test.npy",
                            "t10k-images-idx3-ubyte.gz", "test/pos/1.txt", "test/1.txt"}) {
    const std::string data = fmt::format("mixed-{}", number++);
    folder.write(data + "/train.csv", rows);
    folder.write(fmt::format("{}/{}", data, other), lines);
    CHECK_THAT(refused(data, "train.csv (tables)", fs::path(other).begin()->string()),
               ContainsSubstring("train, val and test in one form"));
  }
  folder.write("lines/train.jsonl", lines);
  folder.write("lines/test.csv", rows);
  refused("lines", "test.csv (tables)", "train.jsonl");
  folder.write("lone/reviews.csv", rows);
  folder.write("lone/test.jsonl", lines);
  refused("lone", "reviews.csv (tables)", "test.jsonl");
  for (const char* name : {"tree/train/a/1.txt", "tree/train/b/1.txt", "tree/test/1.txt"}) {
    folder.write(name, name);
  }
  refused("tree", "train (folders of classes)", "test");
  folder.write("twice/train.csv", rows);
  folder.write("twice/test.csv", rows);
  folder.write("twice/test.jsonl", lines);
  refused("twice", "train.csv (tables)", "test.jsonl");

  // Two names of one split.
  folder.write("files/train.csv", rows);
  folder.write("files/val.csv", rows);
  folder.write("files/dev.csv", rows);
  CHECK_THAT(error_of([&] { read_from(folder, "files"); }),
             ContainsSubstring("val: got dev.csv and val.csv, expected one file"));
  for (const char* split : {"train", "val", "dev"}) {
    for (const char* label : {"a", "b"}) {
      folder.write(fmt::format("folders/{}/{}/1.txt", split, label), split);
    }
  }
  CHECK_THAT(error_of([&] { read_from(folder, "folders"); }),
             ContainsSubstring("val: got dev and val, expected one folder"));

  // What is no data, hidden, or a packed copy takes nothing away.
  for (const char* other : {"test.md", ".test.jsonl", "train.csv.gz", "tests.jsonl", "notes.txt",
                            "test/run.py", "train_vectors.npy"}) {
    folder.write(fmt::format("plain/{}", other), "x");
  }
  fs::create_directories(folder.path() / "plain" / "val");
  folder.write("plain/train.csv", rows);
  CHECK(read_from(folder, "plain")->sink[Split::test].size() == 4);
  for (const char* label : {"dev", "ops"}) {  // classes, although one is named like a split
    for (int i = 0; i < 20; ++i) {
      folder.write(fmt::format("classes/{}/{}.txt", label, i), fmt::format("{} {}", label, i));
    }
  }
  CHECK(read_from(folder, "classes")->info.class_names == std::vector<std::string>{"dev", "ops"});
}

TEST_CASE("file: data check says how many examples of the test train has as well", "[unit]") {
  const TempFolder folder;
  folder.write("d/train.csv", table(40, 2, "x"));
  folder.write("d/val.csv", table(40, 2, "y"));
  folder.write("d/test.csv", table(30, 3, "x") + "1,another\n");  // their labels do not matter
  const OpenOptions open = testing::options_for(folder.path() / "d", folder.path() / "cache");
  const DataCheck checked = check(*create_task("file", {{"labels", "0,1,2"}}, open), open);
  CHECK(checked.faults.empty());
  CHECK(checked.splits[split_index(Split::test)].in_train == 30);
  CHECK(checked.splits[split_index(Split::val)].in_train == 0);
  CHECK(checked.to_json()["splits"]["test"]["in_train"] == 30);
}

TEST_CASE("file: baselines of each kind learn what is there to learn", "[unit]") {
  const TempFolder folder;
  std::string ids;
  std::string pixels;
  std::string pairs;
  RandomStream random{RandomKey(5)};
  for (int i = 0; i < 240; ++i) {
    const int label = i % 3;
    const auto r = [&] { return static_cast<int>(random.below(50)); };
    ids += fmt::format("{},{} {} {}\n", label, 3 + r(), label, 3 + r());
    const auto pixel = [&](int place) { return place == label ? 250 : r(); };
    pixels += fmt::format("{},{},{},{}\n", label, pixel(0), pixel(1), pixel(2));
    const std::string a = fmt::format("abcdefgh{}", r());
    pairs +=
        fmt::format("{},{},{}\n", i % 2, a, i % 2 == 1 ? a + "x" : fmt::format("zyxwv{}", r()));
  }
  const auto best = [&](const std::string& name, const std::string& rows, const json& options) {
    folder.write(name, rows);
    OpenOptions open = testing::options_for(folder.path() / name, folder.path() / "cache");
    const auto task = create_task("file", options, open);
    double accuracy = 0;
    for (const auto& s : shortcuts(*task, task->open(open))) {
      accuracy = std::max(accuracy, s.accuracy);
    }
    return accuracy;
  };
  const json share = {{"test_share", 0.3}};
  const auto with = [&](const char* kind) {
    json options = share;
    options["kind"] = kind;
    return options;
  };
  CHECK(best("ids.csv", ids, with("tokens")) > 0.95);
  CHECK(best("pixels.csv", pixels, with("pixels")) > 0.9);
  CHECK(best("pairs.csv", pairs, with("pair")) > 0.95);
}

}  // namespace
}  // namespace lra::tasks
