#include "engine/base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/locks.h"

namespace lra {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_io(const fs::path& path, const char* what, int code = errno) {
  fail(ErrorKind::io, "{}: {}: {}", path.string(), what, std::generic_category().message(code));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC)) {
    if (value_ < 0) fail_io(path, "cannot open");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(value_); }
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

std::size_t size_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) fail_io(path, "cannot stat");
  if (S_ISDIR(status.st_mode)) fail_io(path, "cannot read", EISDIR);
  return static_cast<std::size_t>(status.st_size);
}

void create_parent(const fs::path& path) {
  std::error_code code;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), code);
  if (code)
    fail(ErrorKind::io, "{}: cannot create: {}", path.parent_path().string(), code.message());
}

std::atomic<bool> locks_disabled{false};

[[noreturn]] void fail_lock(const fs::path& path, int code) {
  if (code == ENOLCK || code == EOPNOTSUPP || code == ENOSYS) {
    fail(ErrorKind::io,
         "{}: the file system has no locks ({}); try --no-locks, and make sure that no other "
         "process "
         "writes this folder",
         path.string(), std::generic_category().message(code));
  }
  fail_io(path, "cannot lock", code);
}

// Whether a locked descriptor is still the file with this name: its holder may have removed it.
bool is_current(int descriptor, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int lock_waiting(int descriptor) {
  int result = 0;
  do {
    result = ::flock(descriptor, LOCK_EX);
  } while (result != 0 && errno == EINTR);
  return result;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// NAME.PROCESS-NUMBER.tmp, as AtomicFile names them.
bool is_temporary(const std::string& name) {
  constexpr std::string_view kEnd = ".tmp";
  if (!name.ends_with(kEnd)) return false;
  const std::string_view rest = std::string_view(name).substr(0, name.size() - kEnd.size());
  const std::size_t dot = rest.rfind('.');
  const std::size_t dash = rest.rfind('-');
  return dot != std::string_view::npos && dash != std::string_view::npos && dot < dash &&
         is_number(rest.substr(dot + 1, dash - dot - 1)) && is_number(rest.substr(dash + 1));
}

int open_lock(const fs::path& path) {
  create_parent(path);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) fail_io(path, "cannot open lock");
  return descriptor;
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  std::string content;
  content.reserve(size_of(file, path));
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.value(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(path, "cannot read");
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> counter{0};
  std::error_code code;
  if (fs::is_symlink(path_, code)) {
    fs::path target = fs::weakly_canonical(path_, code);
    if (!code) path_ = std::move(target);
  }
  if (fs::is_other(path_, code)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_io(path_, "cannot open");
    return;
  }
  create_parent(path_);
  temporary_ = path_;
  temporary_ += fmt::format(".{}-{}.tmp", ::getpid(), counter.fetch_add(1));
  for (;;) {
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail_io(temporary_, "cannot create");
    // Retries if remove_abandoned() came in between; without locks it is never called while another
    // process writes.
    if (locks_disabled || lock_waiting(descriptor_) != 0 || is_current(descriptor_, temporary_)) {
      return;
    }
    ::close(std::exchange(descriptor_, -1));
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_io(path_, "cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
  if (!temporary_.empty() && ::fsync(descriptor_) != 0) fail_io(path_, "cannot sync");
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail_io(path_, "cannot close");
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io(path_, "cannot rename into place");
  temporary_.clear();
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  ::fsync(directory.value());
}

void write_file_atomic(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void remove_abandoned(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator i(folder, code), end; !code && i != end; i.increment(code)) {
    if (!is_temporary(i->path().filename().string())) continue;
    const int descriptor = ::open(i->path().c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (locks_disabled || ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) ::unlink(i->path().c_str());
    ::close(descriptor);
  }
}

void write_json(const fs::path& path, const nlohmann::json& value) {
  write_file_atomic(path, json_text(value, 2) + "\n");
}

// Mapped files in use. Reading beyond the end of a truncated file or from a failing disk raises
// SIGBUS; the handler looks up the file of the address and ends the program with a message and the
// exit code of a data fault.
namespace {

struct Mapping {
  std::atomic<const std::byte*> begin{nullptr};
  std::atomic<std::size_t> size{0};
  std::atomic<const char*> path{nullptr};
};
std::array<Mapping, 1024> mappings;
struct sigaction action_before {};

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

void on_bus_error(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const std::byte* begin = mapping.begin.load();
    const char* path = mapping.path.load();
    if (begin == nullptr || path == nullptr || std::less<>()(address, begin) ||
        !std::less<>()(address, begin + mapping.size.load())) {
      continue;
    }
    write_all("lra: ");
    write_all(path);
    write_all(": cannot read: the file was truncated while in use, or its disk failed\n");
    ::_exit(exit_code(ErrorKind::data));
  }
  ::sigaction(SIGBUS, &action_before,
              nullptr);  // not one of ours: the fault repeats with the old handler
}

void guard(const std::byte* begin, std::size_t size, const fs::path& path) {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = &on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, &action_before) == 0;
  }();
  if (!installed) return;
  for (Mapping& mapping : mappings) {
    const std::byte* none = nullptr;
    if (!mapping.begin.compare_exchange_strong(none, begin)) continue;
    mapping.size = size;
    mapping.path = ::strdup(path.c_str());
    return;
  }
}

void unguard(const std::byte* begin) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin.load() != begin) continue;
    std::free(const_cast<char*>(mapping.path.exchange(nullptr)));  // of strdup
    mapping.begin = nullptr;
    return;
  }
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  const std::size_t size = size_of(file, path);
  if (size == 0) return;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.value(), 0);
  if (address == MAP_FAILED) fail_io(path, "cannot map");
  bytes_ = {static_cast<const std::byte*>(address), size};
  guard(bytes_.data(), size, path);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  unguard(bytes_.data());
  // munmap takes a non-const pointer although it only removes the mapping.
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void disable_file_locks() { locks_disabled = true; }

FileLock::FileLock(const fs::path& path) : descriptor_(open_lock(path)) {
  for (;;) {
    if (locks_disabled) return;
    if (lock_waiting(descriptor_) != 0) {
      const int code = errno;
      ::close(descriptor_);
      fail_lock(path, code);
    }
    if (is_current(descriptor_, path)) return;
    ::close(std::exchange(descriptor_, -1));
    descriptor_ = open_lock(path);
  }
}

std::unique_ptr<FileLock> FileLock::try_lock(const fs::path& path) {
  const int descriptor = open_lock(path);
  if (locks_disabled) return std::unique_ptr<FileLock>(new FileLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    ::close(descriptor);
    if (code != EWOULDBLOCK) fail_lock(path, code);
    return nullptr;
  }
  if (!is_current(descriptor, path)) {  // its holder has just removed it
    ::close(descriptor);
    return try_lock(path);
  }
  return std::unique_ptr<FileLock>(new FileLock(descriptor));
}

FileLock::~FileLock() { ::close(descriptor_); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr ||
      EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) != 1) {
    fail(ErrorKind::backend, "sha256: cannot start a digest");
  }
}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size());
  return *this;
}

Sha256& Sha256::update(std::string_view text) { return update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), digest.data(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256_hex(std::string_view text) { return Sha256().update(text).hex(); }

fs::path user_cache_dir() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return fs::path(cache) / "lra";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fs::path(home) / ".cache" / "lra";
  }
  std::error_code code;
  const fs::path temporary = fs::temp_directory_path(code);
  return (code ? fs::path("/tmp") : temporary) / "lra";
}

}  // namespace lra
