#include "tasks/pathfinder/grey_png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "engine/base/error.h"

namespace lra::tasks::pathfinder {
namespace {

struct Reading {
  std::string_view rest;
  std::array<char, 128> message{};
};

struct Header {
  png_uint_32 width = 0, height = 0;
  int depth = 0, colour = 0;
};

void keep_message(png_structp png, png_const_charp text) {
  auto* reading = static_cast<Reading*>(png_get_error_ptr(png));
  std::strncpy(reading->message.data(), text, reading->message.size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void take_bytes(png_structp png, png_bytep out, size_t size) {
  auto* reading = static_cast<Reading*>(png_get_io_ptr(png));
  if (size > reading->rest.size()) png_error(png, "truncated");
  std::memcpy(out, reading->rest.data(), size);
  reading->rest.remove_prefix(size);
}

// Each of these two runs libpng between setjmp and a possible longjmp, so they hold no object with
// a destructor. False: libpng gave up, the message is in its Reading.
bool read_header(png_structp png, png_infop info, Header* header) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_read_info(png, info);
  png_get_IHDR(png, info, &header->width, &header->height, &header->depth, &header->colour, nullptr,
               nullptr, nullptr);
  return true;
}

bool read_rows(png_structp png, png_infop info, png_bytep pixels, png_uint_32 height,
               png_uint_32 width) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y)
      png_read_row(png, pixels + std::size_t{y} * width, nullptr);
  }
  png_read_end(png, nullptr);
  return true;
}

class PngReader {
 public:
  explicit PngReader(Reading& reading)
      : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, &keep_message,
                                    &ignore_warning)),
        info_(png_ == nullptr ? nullptr : png_create_info_struct(png_)) {
    if (info_ == nullptr) fail(ErrorKind::backend, "png: cannot start a reader");
    png_set_read_fn(png_, &reading, &take_bytes);
    png_set_user_limits(png_, 1U << 14U, 1U << 14U);
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  [[nodiscard]] png_structp png() const { return png_; }
  [[nodiscard]] png_infop info() const { return info_; }

 private:
  png_structp png_;
  png_infop info_;
};

bool write_rows(png_structp png, png_infop info, const std::uint8_t* pixels, png_uint_32 height,
                png_uint_32 width) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
  png_write_info(png, info);
  for (png_uint_32 y = 0; y < height; ++y) png_write_row(png, pixels + std::size_t{y} * width);
  png_write_end(png, nullptr);
  return true;
}

void give_bytes(png_structp png, png_bytep bytes, size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(reinterpret_cast<const char*>(bytes), size);
}

void flush_nothing(png_structp) {}

}  // namespace

std::vector<std::uint8_t> decode_grey_png(std::string_view file, int height, int width,
                                          const std::string& where) {
  Reading reading{file, {}};
  const PngReader reader(reading);
  Header header;
  const auto fail_reading = [&] {
    fail(ErrorKind::data, "{}: not a readable PNG: {}; got {} bytes", where, reading.message.data(),
         file.size());
  };
  if (!read_header(reader.png(), reader.info(), &header)) fail_reading();
  if (header.colour != PNG_COLOR_TYPE_GRAY || header.depth != 8) {
    fail(ErrorKind::data, "{}: PNG colour type and depth; got {} and {}, expected 0 (grey) and 8",
         where, header.colour, header.depth);
  }
  if (std::cmp_not_equal(header.width, width) || std::cmp_not_equal(header.height, height)) {
    fail(ErrorKind::data, "{}: PNG size; got {} x {}, expected {} x {}", where, header.height,
         header.width, height, width);
  }
  std::vector<std::uint8_t> pixels(std::size_t{header.width} * header.height);
  if (!read_rows(reader.png(), reader.info(), pixels.data(), header.height, header.width)) {
    fail_reading();
  }
  // libpng 1.6.48 reads the checksum of the end mark without looking at it.
  constexpr std::string_view kEndMark("\0\0\0\0IEND\xAE\x42\x60\x82", 12);
  if (!file.substr(0, file.size() - reading.rest.size()).ends_with(kEndMark)) {
    fail(ErrorKind::data, "{}: not a readable PNG: damaged end mark", where);
  }
  return pixels;
}

std::string encode_grey_png(std::span<const std::uint8_t> pixels, int height, int width) {
  Reading reading{};  // only its message is used
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &reading, &keep_message, &ignore_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) fail(ErrorKind::backend, "png: cannot start a writer");
  std::string file;
  file.reserve(pixels.size() + pixels.size() / 8 + 1024);  // appending must not throw through C
  png_set_write_fn(png, &file, &give_bytes, &flush_nothing);
  const bool written = write_rows(png, info, pixels.data(), static_cast<png_uint_32>(height),
                                  static_cast<png_uint_32>(width));
  png_destroy_write_struct(&png, &info);
  if (!written) fail(ErrorKind::backend, "png: cannot write: {}", reading.message.data());
  return file;
}

}  // namespace lra::tasks::pathfinder
