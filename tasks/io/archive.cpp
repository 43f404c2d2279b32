#include "tasks/io/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = std::size_t{1} << 16;
constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kMaxName = 4096;  // PATH_MAX of Linux

// libarchive's message about its last failure, which may be missing.
std::string reason(::archive* handle) {
  const char* text = archive_error_string(handle);
  return text == nullptr ? "damaged archive" : text;
}

std::string entry_name(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  std::string_view result = name == nullptr ? "" : name;
  while (result.starts_with("./") && result.size() > 2) result.remove_prefix(2);
  return std::string(result);
}

// The target of a symbolic or hard link as a path from the archive's root; empty if not a link.
std::string link_target(archive_entry* entry, const std::string& name) {
  if (const char* hard = archive_entry_hardlink(entry)) return hard;
  if (archive_entry_filetype(entry) != AE_IFLNK) return "";
  const char* target = archive_entry_symlink(entry);
  if (target == nullptr || *target == '/') return "/";
  return (fs::path(name).parent_path() / target).lexically_normal().string();
}

}  // namespace

// Owns libarchive's handle and feeds it from a source.
class ArchiveReader {
 public:
  ArchiveReader(const ByteSource& source, const std::string& name)
      : source_(source), name_(name), handle_(archive_read_new()), buffer_(kBlock) {
    if (handle_ == nullptr) fail(ErrorKind::backend, "{}: cannot start an archive reader", name);
    archive_read_support_format_tar(handle_.get());
    archive_read_support_filter_gzip(handle_.get());
    archive_read_support_filter_xz(handle_.get());
    if (archive_read_open(handle_.get(), this, nullptr, &pull, nullptr) != ARCHIVE_OK) fail_here();
  }

  void run(const std::vector<std::string>& patterns, const ArchiveVisitor& visit) {
    archive_entry* header = nullptr;
    for (;;) {
      const int status = archive_read_next_header(handle_.get(), &header);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail_here();
      last_entry_ = entry_name(header);
      check_name();
      const bool chosen = std::any_of(
          patterns.begin(), patterns.end(),
          [&](const std::string& pattern) { return path_matches(pattern, last_entry_); });
      check_type(header, chosen);
      if (!chosen || archive_entry_filetype(header) != AE_IFREG) continue;
      ArchiveEntry entry(last_entry_, static_cast<std::uint64_t>(archive_entry_size(header)),
                         handle_.get(), name_);
      visit(entry);
      rethrow();
    }
    rethrow();
    check_end();
  }

 private:
  struct Free {
    void operator()(::archive* handle) const { archive_read_free(handle); }
  };

  static la_ssize_t pull(::archive* handle, void* self, const void** block) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    try {
      const std::size_t got = reader.next_block();
      *block = reader.buffer_.data();
      return static_cast<la_ssize_t>(got);
    } catch (...) {  // must not pass through C; rethrow() throws it later
      reader.error_ = std::current_exception();
      archive_set_error(handle, EIO, "cannot read the archive");
      return ARCHIVE_FATAL;
    }
  }

  std::size_t next_block() {
    const std::size_t got = source_(buffer_);
    const auto zeros = std::find_if(buffer_.rend() - static_cast<std::ptrdiff_t>(got),
                                    buffer_.rend(), [](std::byte b) { return b != std::byte{0}; }) -
                       (buffer_.rend() - static_cast<std::ptrdiff_t>(got));
    final_zeros_ =
        static_cast<std::size_t>(zeros) + (std::cmp_equal(zeros, got) ? final_zeros_ : 0);
    return got;
  }

  // A tar ends with two zero blocks. libarchive accepts a file truncated between two entries as
  // complete; compression formats detect the truncation themselves.
  void check_end() {
    if (archive_filter_code(handle_.get(), 0) != ARCHIVE_FILTER_NONE) return;
    while (next_block() != 0) {
    }
    if (final_zeros_ < 2 * kTarBlock) {
      fail(ErrorKind::data, "{}: truncated archive: the end mark is missing after entry '{}'",
           name_, last_entry_);
    }
  }

  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  [[noreturn]] void fail_here() {
    rethrow();
    fail(ErrorKind::data, "{}: {}{}", name_, reason(handle_.get()),
         last_entry_.empty() ? "" : fmt::format(" after entry '{}'", last_entry_));
  }

  void check_name() const {
    if (!is_safe_relative_path(last_entry_) || last_entry_.size() > kMaxName) {
      fail(ErrorKind::data,
           "{}: entry '{}': unsafe name; expected a relative path without '..' parts, at most {} "
           "bytes",
           name_, last_entry_.substr(0, kMaxName), kMaxName);
    }
  }

  void check_type(archive_entry* header, bool chosen) const {
    const std::string target = link_target(header, last_entry_);
    if (!target.empty() && !is_safe_relative_path(target)) {
      fail(ErrorKind::data, "{}: entry '{}': a link out of the archive's folder", name_,
           last_entry_);
    }
    const auto type = archive_entry_filetype(header);
    if (chosen && (!target.empty() || (type != AE_IFREG && type != AE_IFDIR))) {
      fail(ErrorKind::data, "{}: entry '{}': got a {}, expected a regular file", name_, last_entry_,
           target.empty() ? "special file" : "link");
    }
  }

  const ByteSource& source_;
  const std::string& name_;
  std::unique_ptr<::archive, Free> handle_;
  std::vector<std::byte> buffer_;
  std::size_t final_zeros_ = 0;
  std::string last_entry_;
  std::exception_ptr error_;
};

std::size_t ArchiveEntry::read(std::span<std::byte> buffer) {
  auto* handle = static_cast<::archive*>(handle_);
  const la_ssize_t got = archive_read_data(handle, buffer.data(), buffer.size());
  if (got < 0) fail(ErrorKind::data, "{}: entry '{}': {}", archive_, name_, reason(handle));
  given_ += static_cast<std::uint64_t>(got);
  if (got == 0 && !buffer.empty() && given_ != size_) {
    fail(ErrorKind::data, "{}: entry '{}': truncated; got {} bytes, expected {}", archive_, name_,
         given_, size_);
  }
  return static_cast<std::size_t>(got);
}

std::string ArchiveEntry::read_all(std::uint64_t limit) {
  if (size_ > limit) {
    fail(ErrorKind::data, "{}: entry '{}': too large; got {} bytes, expected at most {}", archive_,
         name_, size_, limit);
  }
  std::string content;
  std::array<std::byte, 1 << 14> block{};
  while (const std::size_t got = read(block)) {
    content.append(reinterpret_cast<const char*>(block.data()), got);
  }
  return content;
}

void read_archive(const ByteSource& source, const std::string& name,
                  const std::vector<std::string>& patterns, const ArchiveVisitor& visit) {
  ArchiveReader(source, name).run(patterns, visit);
}

void read_archive(const fs::path& archive, const std::vector<std::string>& patterns,
                  const ArchiveVisitor& visit) {
  const int descriptor = ::open(archive.c_str(), O_RDONLY | O_CLOEXEC);
  const auto fail_io = [&](const char* what) {
    fail(ErrorKind::io, "{}: {}: {}", archive.string(), what,
         std::generic_category().message(errno));
  };
  if (descriptor < 0) fail_io("cannot open");
  const auto close = [](const int* file) { ::close(*file); };
  const std::unique_ptr<const int, decltype(close)> closer(&descriptor, close);
  const ByteSource source = [&](std::span<std::byte> buffer) {
    for (;;) {
      const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) fail_io("cannot read");
    }
  };
  read_archive(source, archive.string(), patterns, visit);
}

std::string read_compressed(const fs::path& file, std::uint64_t limit) {
  const std::string packed = read_file(file);
  const auto free_reader = [](::archive* reader) { archive_read_free(reader); };
  const std::unique_ptr<::archive, decltype(free_reader)> reader(archive_read_new(), free_reader);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_format_raw(reader.get());
  const auto check = [&](la_ssize_t result) {
    if (result < 0) fail(ErrorKind::data, "{}: {}", file.string(), reason(reader.get()));
  };
  archive_entry* entry = nullptr;
  check(archive_read_open_memory(reader.get(), packed.data(), packed.size()));
  check(archive_read_next_header(reader.get(), &entry));
  std::string content;
  std::array<char, 1 << 16> block{};
  for (;;) {
    const la_ssize_t got = archive_read_data(reader.get(), block.data(), block.size());
    check(got);
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) {
      fail(ErrorKind::data, "{}: too large; expected at most {} bytes", file.string(), limit);
    }
  }
}

bool path_matches(std::string_view pattern, std::string_view path) {
  if (pattern.empty()) return path.empty();
  if (pattern.starts_with("**")) {
    const std::string_view rest = pattern.substr(2);
    if (rest.starts_with('/') && path_matches(rest.substr(1), path)) return true;
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (path_matches(rest, path.substr(i))) return true;
    }
    return false;
  }
  if (pattern.front() == '*') {
    for (std::size_t i = 0; i <= path.size(); ++i) {
      if (path_matches(pattern.substr(1), path.substr(i))) return true;
      if (i < path.size() && path[i] == '/') return false;
    }
    return false;
  }
  if (path.empty()) return false;
  const bool same = pattern.front() == '?' ? path.front() != '/' : pattern.front() == path.front();
  return same && path_matches(pattern.substr(1), path.substr(1));
}

bool is_safe_relative_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (path.substr(0, end) == "..") return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

bool is_archive(const fs::path& path) {
  if (has_archive_name(path)) return true;
  std::array<char, kTarBlock> block{};
  std::ifstream file(path, std::ios::binary);
  file.read(block.data(), block.size());
  const std::string_view bytes(block.data(), static_cast<std::size_t>(file.gcount()));
  constexpr std::size_t kTarMark = 257;  // of the header's magic
  return bytes.starts_with("\x1f\x8b") ||
         bytes.starts_with(
             "\xfd"
             "7zXZ") ||
         (bytes.size() == kTarBlock && bytes.substr(kTarMark).starts_with("ustar"));
}

bool has_archive_name(const fs::path& path) {
  const std::string name = path.filename().string();
  constexpr std::array<std::string_view, 5> kEndings{".tar", ".gz", ".tgz", ".tar.xz", ".txz"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace lra::tasks
