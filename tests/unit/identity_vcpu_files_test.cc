// SPDX-License-Identifier: Apache-2.0
#include "identity/vcpu_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace isoscope::identity {
namespace {

using ::testing::ElementsAre;

TEST(VcpuLink, IsAnOpenVcpu) {
  EXPECT_EQ(parse_vcpu_link("anon_inode:kvm-vcpu:0"), 0U);
  EXPECT_EQ(parse_vcpu_link("anon_inode:kvm-vcpu:17"), 17U);
  for (const char* const other : {"anon_inode:kvm-vcpu:", "anon_inode:kvm-vcpu:1x", "anon_inode:kvm-vm",
                                  "/dev/kvm", "/tmp/anon_inode:kvm-vcpu:0", ""}) {
    EXPECT_FALSE(parse_vcpu_link(other)) << other;
  }
}

TEST(FindVmms, ByTheirDescriptors) {
  std::string name = ::testing::TempDir() + "/vcpus-XXXXXX";
  const std::filesystem::path root = ::mkdtemp(name.data());
  const auto link = [&](const std::string& file, const std::string& target) {
    std::filesystem::create_directories((root / file).parent_path());
    std::filesystem::create_symlink(target, root / file);
  };
  link("10/fd/0", "/dev/null");
  link("10/fd/9", "anon_inode:kvm-vm");
  link("11/fd/0", "/dev/null");
  link("11/fd/13", "anon_inode:kvm-vcpu:1");
  link("12/fd/5", "anon_inode:kvm-vcpu:0");
  const auto process = [](std::uint32_t pid) {
    ProcessInfo info;
    info.pid = pid;
    return info;
  };
  EXPECT_THAT(find_vmms({process(10), process(11), process(99)}, root.string()), ElementsAre(11U))
      << "12 is not asked for, 99 has ended";
  EXPECT_EQ(count_unreadable(root.string()), 0U) << "a file that is not there is not one that is forbidden";
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace isoscope::identity
