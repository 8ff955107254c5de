// SPDX-License-Identifier: Apache-2.0
#include "base/capabilities.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

namespace isoscope::base {
namespace {

struct Sets {
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
};

Sets of_this_thread() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  EXPECT_EQ(::syscall(SYS_capget, &header, data.data()), 0);
  const auto joined = [](std::uint32_t low, std::uint32_t high) {
    return low | static_cast<std::uint64_t>(high) << 32U;
  };
  return {joined(data[0].effective, data[1].effective), joined(data[0].permitted, data[1].permitted),
          joined(data[0].inheritable, data[1].inheritable)};
}

constexpr std::uint64_t bit(unsigned capability) {
  return std::uint64_t{1} << capability;
}

// In threads: what is dropped is gone for the thread's life.
TEST(Capabilities, KeepsThoseNamedAndNoOthers) {
  const Sets before = of_this_thread();
  std::thread([&] {
    ASSERT_TRUE(keep_capabilities({CAP_KILL, CAP_BPF}, {CAP_CHOWN}));
    const Sets now = of_this_thread();
    EXPECT_EQ(now.effective, before.permitted & (bit(CAP_KILL) | bit(CAP_BPF)));
    EXPECT_EQ(now.permitted, before.permitted & (bit(CAP_KILL) | bit(CAP_BPF) | bit(CAP_CHOWN)));
    EXPECT_EQ(now.inheritable, 0U);
    ASSERT_TRUE(keep_capabilities({CAP_CHOWN, CAP_SYS_ADMIN}));
    EXPECT_EQ(of_this_thread().effective, before.permitted & bit(CAP_CHOWN));
    ASSERT_TRUE(keep_capabilities({}));
    EXPECT_EQ(of_this_thread().permitted, 0U);
  }).join();
  EXPECT_EQ(of_this_thread().effective, before.effective);
}

}  // namespace
}  // namespace isoscope::base
