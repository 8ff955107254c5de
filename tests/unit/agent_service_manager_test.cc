// SPDX-License-Identifier: Apache-2.0
#include "agent/service_manager.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace isoscope::agent {
namespace {

using namespace std::chrono_literals;

// What systemd's end of the socket hears.
class ServiceManagerTest : public ::testing::Test {
 protected:
  ServiceManagerTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ::unlink(path_.c_str());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  ~ServiceManagerTest() override {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
      ::unsetenv(variable);
    }
    ::unlink(path_.c_str());
  }

  std::string heard() {
    std::array<char, 256> bytes{};
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return got < 0 ? "nothing" : std::string(bytes.data(), static_cast<std::size_t>(got));
  }

  const std::string path_ = ::testing::TempDir() + "notify." + std::to_string(::getpid());
  base::UniqueFd socket_;
};

TEST_F(ServiceManagerTest, TellsEachStateOnce) {
  notify_ready();
  EXPECT_EQ(heard(), "READY=1\nSTATUS=tracing");
  notify_reloading();
  EXPECT_TRUE(heard().starts_with("RELOADING=1\n"));
  notify_stopping();
  EXPECT_TRUE(heard().starts_with("STOPPING=1\n"));
  feed_watchdog();
  EXPECT_EQ(heard(), "WATCHDOG=1");
  EXPECT_EQ(heard(), "nothing");
}

TEST_F(ServiceManagerTest, IsSilentWhereNobodyAsked) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_ready();
  feed_watchdog();
  EXPECT_EQ(heard(), "nothing");
}

TEST_F(ServiceManagerTest, FeedsTheWatchdogTwiceInItsTime) {
  EXPECT_EQ(watchdog_period(), std::nullopt);
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_period(), 30s);
}

TEST_F(ServiceManagerTest, TheWatchdogOfAnotherProcessIsNotOurs) {
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_period(), std::nullopt);
}

}  // namespace
}  // namespace isoscope::agent
