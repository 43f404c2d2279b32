// The forms of the user's own data sets: each is read into the examples that were written.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tasks/file/testing.h"
#include "tasks/io/png.h"
#include "tasks/test_support.h"

namespace lra::tasks::file {
namespace {

using lra::testing::ContainsSubstring;
using nlohmann::json;
using testing::error_of;
using testing::TempFolder;

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

}  // namespace
}  // namespace lra::tasks::file
