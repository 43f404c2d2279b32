#include "harness/measure/child.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "tests/catch.h"

using lra::harness::Channel;
using lra::harness::Child;
using nlohmann::json;

TEST_CASE("child: keeps no file of its parent open but the channel", "[unit]") {
  std::array<int, 8> files{};
  for (int& file : files) file = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  // The channel lies between files that were opened before it and others after it.
  ::close(files[3]);
  ::close(files[4]);
  Child child([](Channel& channel) {
    json open = json::array();
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (std::stoi(entry.path().filename().string()) > 2 && !gone) open.push_back(target);
    }
    channel.send(open);
  });
  for (const std::size_t i : {0, 1, 2, 5, 6, 7}) ::close(files[i]);
  const auto open = child.channel().receive();
  REQUIRE(open);
  INFO(open->dump());
  std::size_t sockets = 0;
  for (const json& target : *open) {
    const auto text = target.get<std::string>();
    sockets += text.starts_with("socket:") ? 1 : 0;
    CHECK((text.starts_with("socket:") || text.starts_with("/proc/")));  // the listing's own
  }
  CHECK(sockets == 1);
  CHECK_FALSE(child.channel().receive());
  CHECK_FALSE(child.ran_out_of_memory());
}

TEST_CASE("child: one that ends by an exception closes the channel", "[unit]") {
  Child child([](Channel& channel) {
    channel.send({{"step", 1}});
    throw 1;
  });
  const auto line = child.channel().receive();
  REQUIRE(line);
  CHECK(line->at("step") == 1);
  CHECK_FALSE(child.channel().receive());
  CHECK_FALSE(child.ran_out_of_memory());
}
