#include "tasks/io/png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "engine/base/error.h"

namespace lra::tasks {
namespace {

struct PngInput {
  std::string_view rest;
  std::array<char, 128> message{};
};

void keep_message(png_structp png, png_const_charp text) {
  auto* reading = static_cast<PngInput*>(png_get_error_ptr(png));
  std::strncpy(reading->message.data(), text, reading->message.size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void take_bytes(png_structp png, png_bytep out, size_t size) {
  auto* reading = static_cast<PngInput*>(png_get_io_ptr(png));
  if (size > reading->rest.size()) png_error(png, "truncated");
  std::memcpy(out, reading->rest.data(), size);
  reading->rest.remove_prefix(size);
}

// Both functions run libpng between setjmp and a possible longjmp, so they have no object with a
// destructor. False: libpng failed, the message is in its PngInput.
bool read_header(png_structp png, png_infop info, PngHeader* header) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_read_info(png, info);
  header->transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  return png_get_IHDR(png, info, &header->width, &header->height, &header->depth, &header->colour,
                      nullptr, nullptr, nullptr) != 0;
}

// row_bytes: of a row after expansion to 8 bits per channel.
bool read_rows(png_structp png, png_infop info, png_bytep pixels, png_uint_32 height,
               std::size_t row_bytes) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != row_bytes) png_error(png, "rows of another size");
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, pixels + y * row_bytes, nullptr);
  }
  png_read_end(png, nullptr);
  return true;
}

class PngReader {
 public:
  explicit PngReader(PngInput& reading)
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

PngPicture decode_png(std::string_view file, const std::string& where,
                      const std::function<void(const PngHeader&)>& check) {
  PngInput reading{file, {}};
  const PngReader reader(reading);
  PngHeader header;
  const auto fail_reading = [&] {
    fail(ErrorKind::data, "{}: not a readable PNG: {}; got {} bytes", where, reading.message.data(),
         file.size());
  };
  if (!read_header(reader.png(), reader.info(), &header)) fail_reading();
  if (check) check(header);
  PngPicture picture;
  picture.height = header.height;
  picture.width = header.width;
  switch (header.colour) {
    case PNG_COLOR_TYPE_GRAY:
      break;
    case PNG_COLOR_TYPE_RGB:
    case PNG_COLOR_TYPE_PALETTE:
      picture.channels = 3;
      break;
    default:
      fail(ErrorKind::data, "{}: PNG colour type; got {}, expected grey, RGB or a palette", where,
           header.colour);
  }
  if (header.depth == 16 || header.transparent) {
    fail(ErrorKind::data, "{}: PNG with {}; expected at most 8 bits per channel, all opaque", where,
         header.transparent ? "transparency" : "16 bits per channel");
  }
  const std::size_t row_bytes = header.width * picture.channels;
  if (row_bytes * header.height > kLargestPicture) {
    fail(ErrorKind::data, "{}: PNG size; got {} x {}, expected at most {} values", where,
         header.height, header.width, kLargestPicture);
  }
  picture.values.resize(row_bytes * header.height);
  if (!read_rows(reader.png(), reader.info(), picture.values.data(), header.height, row_bytes)) {
    fail_reading();
  }
  // libpng 1.6.48 reads the checksum of the end mark without verifying it.
  constexpr std::string_view kEndMark("\0\0\0\0IEND\xAE\x42\x60\x82", 12);
  if (!file.substr(0, file.size() - reading.rest.size()).ends_with(kEndMark)) {
    fail(ErrorKind::data, "{}: not a readable PNG: damaged end mark", where);
  }
  return picture;
}

std::string encode_grey_png(std::span<const std::uint8_t> pixels, int height, int width) {
  PngInput reading{};  // only its message is used
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

}  // namespace lra::tasks
