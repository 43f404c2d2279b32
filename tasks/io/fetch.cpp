#include "tasks/io/fetch.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/io/archive.h"
#include "tasks/io/output_file.h"
#include "tasks/io/unpack.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kBlock = std::size_t{1} << 18U;
constexpr const char* kCardName = "fetched.json";

// The last part of an address without its query.
std::string base_name(const std::string& url) {
  const std::string path = url.substr(0, url.find_first_of("?#"));
  std::string name = path.substr(path.rfind('/') + 1);
  if (!is_safe_relative_path(name) || name.starts_with('.')) name = "archive.tar.gz";
  return name;
}

class Fetcher {
 public:
  Fetcher(FetchPlan plan, const FetchOptions& options) : plan_(std::move(plan)), options_(options) {
    if (!options.url.empty()) {
      plan_.url = options.url;
      plan_.bytes = -1;
      plan_.sha256.clear();
    }
    plan_.bytes = options.bytes.value_or(plan_.bytes);
    plan_.sha256 = options.sha256.value_or(plan_.sha256);
    product_ = options.out / plan_.product;
    archive_ = options.out / base_name(plan_.url);
    if (plan_.folders.empty()) archive_ = product_;
    report_.product = product_;
    report_.url = plan_.url;
  }

  FetchReport run() {
    create_folder(options_.out);
    const fs::path lock_path = options_.out / ("." + base_name(plan_.url) + ".lock");
    const FileLock lock(lock_path);
    const Removal lock_file(lock_path);  // while the lock is held
    if (is_there()) return report_;
    if (plan_.folders.empty()) {
      if (options_.stream) fail(ErrorKind::usage, "fetch: {} is not unpacked", plan_.task);
      const fs::path part = download();
      rename_to(part, product_);
      write_card();
      return report_;
    }
    const fs::path staging =
        options_.out / fmt::format(".unpacking-{}", sha256_hex(plan_.product).substr(0, 12));
    remove_path(staging);
    const Removal removal(staging);
    Unpacker unpacker(plan_.folders, staging, options_.progress);
    if (options_.stream) {
      unpack_stream(unpacker);
    } else {
      unpack_stored(unpacker);
    }
    rename_to(staging, product_);
    write_card();
    return report_;
  }

 private:
  [[nodiscard]] fs::path card() const {
    return plan_.folders.empty() ? fs::path(product_.string() + "." + kCardName)
                                 : product_ / kCardName;
  }

  // Whether the product exists, complete and from the same address.
  bool is_there() {
    std::error_code code;
    if (!fs::exists(product_, code)) return false;
    if (fs::exists(card(), code)) {
      const json known = read_json(card());
      try {
        if (known.at("url") == plan_.url &&
            (plan_.sha256.empty() || known.at("sha256") == plan_.sha256)) {
          known.at("sha256").get_to(report_.sha256);
          known.at("bytes").get_to(report_.bytes);
          known.at("files").get_to(report_.files);
          report_.already = true;
          return true;
        }
      } catch (const json::exception& error) {
        fail(ErrorKind::data, "{}: not of this program: {}", card().string(), error.what());
      }
    }
    fail(ErrorKind::usage,
         "{}: exists already and was not fetched from {}; move it away or choose "
         "another folder",
         product_.string(), plan_.url);
  }

  void progress(std::string_view what, std::int64_t done, std::int64_t total) const {
    if (options_.progress) options_.progress(what, done, total);
  }

  // A size known beforehand is a limit, even if the server states none.
  [[nodiscard]] HttpOptions http_options() const {
    HttpOptions http = options_.http;
    http.limit = plan_.bytes;
    return http;
  }

  void check_announced(const HttpSource& source) const {
    if (plan_.bytes >= 0 && source.total() >= 0 && source.total() != plan_.bytes) {
      fail(ErrorKind::data, "{}: size; the server has {} bytes, expected {}", plan_.url,
           source.total(), plan_.bytes);
    }
  }

  void check_result(const std::string& what, std::int64_t bytes, const std::string& sha256) {
    report_.bytes = bytes;
    report_.sha256 = sha256;
    if (plan_.bytes >= 0 && bytes != plan_.bytes) {
      fail(ErrorKind::data, "{}: size; got {} bytes, expected {}", what, bytes, plan_.bytes);
    }
    if (!plan_.sha256.empty() && sha256 != plan_.sha256) {
      fail(ErrorKind::data, "{}: SHA-256; got {}, expected {}; the download was removed", what,
           sha256, plan_.sha256);
    }
  }

  // Bytes of an earlier, unfinished call that can be continued; sets the known facts of the file.
  [[nodiscard]] std::int64_t resumable(const fs::path& part, const fs::path& state,
                                       HttpOptions& http) const {
    std::error_code code;
    const auto size = static_cast<std::int64_t>(fs::file_size(part, code));
    if (code || !fs::exists(state, code)) return 0;
    try {
      const json known = read_json(state);
      const auto total = known.at("total").get<std::int64_t>();
      if (known.at("url") != plan_.url || (total >= 0 && size > total)) return 0;
      http.entity_tag = known.at("entity_tag").get<std::string>();
      http.total = total;
    } catch (const std::exception&) {  // a damaged state file: start again
      return 0;
    }
    return size;
  }

  // Downloads into the part file, continuing it if possible, and checks it. Returns its path. A
  // file that changed on the server since its first bytes were read is read from the start.
  fs::path download() {
    constexpr int kStarts = 3;
    for (int start = 1;; ++start) {
      try {
        return download_once();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data) throw;
        const fs::path part = archive_.string() + ".part";
        remove_path(part);
        remove_path(part.string() + ".json");
        if (dynamic_cast<const FileChanged*>(&error) == nullptr || start == kStarts) throw;
      }
    }
  }

  fs::path download_once() {
    fs::path part = archive_.string() + ".part";
    const fs::path state = part.string() + ".json";
    HttpOptions http = http_options();
    http.start = resumable(part, state, http);
    report_.resumed_from = http.start;
    Sha256 digest;
    if (http.start > 0) digest_file(part, digest);
    HttpSource source(plan_.url, http);
    source.open();
    check_announced(source);
    check_space(source.total() - http.start);
    OutputFile file(part, http.start > 0);
    write_json(
        state,
        {{"url", plan_.url}, {"entity_tag", source.entity_tag()}, {"total", source.total()}});
    std::vector<std::byte> block(kBlock);
    std::int64_t told = -1;
    while (const std::size_t got = source.read(block)) {
      const auto bytes = std::span<const std::byte>(block).first(got);
      digest.update(bytes);
      file.write(bytes);
      const std::int64_t megabytes = source.position() >> 20U;
      if (std::exchange(told, megabytes) != megabytes) {
        progress("download", source.position(), source.total());
      }
    }
    file.close();
    report_.connections = source.connections();
    progress("download", source.position(), source.total());
    check_result(plan_.url, source.position(), digest.hex());
    remove_path(state);
    return part;
  }

  static void digest_file(const fs::path& path, Sha256& digest) {
    const MappedFile file(path);
    digest.update(file.bytes());
  }

  void check_space(std::int64_t needed) const {
    std::error_code code;
    const auto space = fs::space(options_.out, code);
    if (!code && needed > 0 && std::cmp_less(space.available, needed)) {
      fail(ErrorKind::io,
           "{}: not enough space; got {} bytes free, expected {} for the archive; "
           "stream it instead",
           options_.out.string(), space.available, needed);
    }
  }

  // Unpacks from the archive on disk, which is downloaded first unless it is there.
  void unpack_stored(Unpacker& unpacker) {
    std::error_code code;
    const bool given = fs::is_regular_file(archive_, code);
    fs::path archive = archive_;
    if (given) {
      Sha256 digest;
      digest_file(archive, digest);
      const auto size = static_cast<std::int64_t>(fs::file_size(archive, code));
      if (code) fail(ErrorKind::io, "{}: cannot read: {}", archive.string(), code.message());
      check_result(archive.string(), size, digest.hex());
    } else {
      archive = download();
    }
    Removal removal(given ? fs::path() : archive);
    read_archive(archive, unpacker.patterns(), [&](ArchiveEntry& entry) { unpacker.take(entry); });
    report_.files = unpacker.finish(archive.string());
    if (given || !options_.keep_archive) return;
    removal.release();
    rename_to(archive, archive_);
  }

  // Unpacks as the bytes arrive; starts again, as download() does.
  void unpack_stream(Unpacker& unpacker) {
    constexpr int kStarts = 3;
    for (int start = 1;; ++start) {
      try {
        return unpack_stream_once(unpacker);
      } catch (const FileChanged&) {
        if (start == kStarts) throw;
        unpacker.restart();
      }
    }
  }

  void unpack_stream_once(Unpacker& unpacker) {
    if (options_.keep_archive) {
      fail(ErrorKind::usage, "fetch: a streamed archive cannot be kept");
    }
    HttpSource source(plan_.url, http_options());
    source.open();
    check_announced(source);
    Sha256 digest;
    const ByteSource bytes = [&](std::span<std::byte> buffer) {
      const std::size_t got = source.read(buffer);
      digest.update(buffer.first(got));
      return got;
    };
    read_archive(bytes, plan_.url, unpacker.patterns(), [&](ArchiveEntry& entry) {
      unpacker.take(entry);
      progress("download", source.position(), source.total());
    });
    std::vector<std::byte> rest(kBlock);
    while (bytes(rest) != 0) {
    }
    report_.connections = source.connections();
    check_result(plan_.url, source.position(), digest.hex());
    report_.files = unpacker.finish(plan_.url);
  }

  void write_card() const { write_json(card(), report_.to_json()); }

  FetchPlan plan_;
  const FetchOptions& options_;
  fs::path product_, archive_;
  FetchReport report_;
};

}  // namespace

json FetchReport::to_json() const {
  return {{"product", product.filename().string()},
          {"url", url},
          {"sha256", sha256},
          {"bytes", bytes},
          {"files", files},
          {"resumed_from", resumed_from},
          {"connections", connections}};
}

FetchReport fetch(const FetchPlan& plan, const FetchOptions& options) {
  return Fetcher(plan, options).run();
}

}  // namespace lra::tasks
