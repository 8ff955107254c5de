// SPDX-License-Identifier: Apache-2.0
#include "identity/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "identity/vm.h"

namespace isoscope::identity {
namespace {

using event::NamespaceType;
using ::testing::ElementsAre;

TEST(ProcessFormats, StartTicks) {
  const std::string rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 8912 20 21";
  EXPECT_EQ(parse_start_ticks("42 (sh)" + rest), 8912u);
  EXPECT_EQ(parse_start_ticks("42 (a) b (c) d)" + rest), 8912u);  // names hold anything
  EXPECT_FALSE(parse_start_ticks("42 (sh) S 1 2 3"));
  EXPECT_FALSE(parse_start_ticks("42 sh S"));
  EXPECT_FALSE(parse_start_ticks(""));
  EXPECT_FALSE(parse_start_ticks("42 (sh) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x"));
}

TEST(ProcessFormats, NamespaceLink) {
  EXPECT_EQ(parse_namespace_link("mnt:[4026531841]"), 4026531841u);
  EXPECT_FALSE(parse_namespace_link(""));
  EXPECT_FALSE(parse_namespace_link("mnt:[]"));
  EXPECT_FALSE(parse_namespace_link("mnt:[12"));
  EXPECT_FALSE(parse_namespace_link("mnt:[99999999999]"));
}

TEST(ProcessFormats, CommandLine) {
  EXPECT_THAT(parse_command_line(std::string("a\0b c\0\0d\0", 9)), ElementsAre("a", "b c", "", "d"));
  EXPECT_THAT(parse_command_line("unterminated"), ElementsAre("unterminated"));
  EXPECT_TRUE(parse_command_line("").empty());
}

TEST(ProcessFormats, TicksAsTheKernelRoundsThem) {
  EXPECT_EQ(ticks_of(19'999'999, 100), 1u);
  EXPECT_EQ(ticks_of(20'000'000, 100), 2u);
}

// A /proc of a few files.
class Proc : public ::testing::Test {
 protected:
  Proc() {
    std::string name = ::testing::TempDir() + "/proc-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~Proc() override { std::filesystem::remove_all(root_); }

  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  void link(const std::string& file, const std::string& target) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::filesystem::create_symlink(target, root_ / file);
  }
  void process(std::uint32_t pid, std::uint64_t ticks, const std::string& cgroup, std::uint32_t mnt) {
    const std::string dir = std::to_string(pid);
    const std::string stat =
        dir + " (p) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 " + std::to_string(ticks);
    write(dir + "/stat", stat);
    write(dir + "/task/" + dir + "/stat", stat);
    write(dir + "/cgroup", "0::" + cgroup + "\n");
    link(dir + "/ns/mnt", "mnt:[" + std::to_string(mnt) + "]");
    link(dir + "/ns/pid", "pid:[4026531836]");
    link(dir + "/ns/time", "time:[4026531834]");
    link(dir + "/ns/time_for_children", "time:[4026531999]");
  }
  std::string root() const { return root_.string(); }
  static std::uint64_t boot_ns(std::uint64_t ticks) {
    return ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  }

  std::filesystem::path root_;
};

TEST_F(Proc, ListsProcesses) {
  process(1, 3, "/init.scope", 4026531841);
  process(77, 500, "/docker/x", 4026532200);
  write("meminfo", "");
  write("99/stat", "99 (died) Z");  // between the listing and the look
  const auto processes = list_processes(root());
  ASSERT_TRUE(processes);
  ASSERT_EQ(processes->size(), 2u);
  const auto& found = (*processes)[0].pid == 77 ? (*processes)[0] : (*processes)[1];
  EXPECT_EQ(found.pid, 77u);
  EXPECT_EQ(found.start_ticks, 500u);
  EXPECT_EQ(found.cgroup_path, "/docker/x");
  EXPECT_EQ(found.namespaces[NamespaceType::mnt], 4026532200u);
  EXPECT_EQ(found.namespaces[NamespaceType::uts], 0u);
}

TEST_F(Proc, PathInTheHierarchyThatIsFollowed) {
  process(77, 500, "/docker/x", 4026532200);
  write("77/cgroup", "8:pids:/docker/y\n0::/\n");
  const auto path = [&](std::uint32_t pid, kernel::CgroupController controller) {
    return read_cgroup_path(pid, root(), controller);
  };
  EXPECT_EQ(path(77, kernel::CgroupController::pids), "/docker/y");
  EXPECT_EQ(path(77, kernel::CgroupController::unified), "/");
  EXPECT_EQ(path(77, kernel::CgroupController::memory), "");
  EXPECT_FALSE(path(78, kernel::CgroupController::pids));
  const auto processes = list_processes(root(), kernel::CgroupController::pids);
  ASSERT_TRUE(processes);
  EXPECT_EQ(processes->at(0).cgroup_path, "/docker/y");
}

TEST_F(Proc, NoProcNoList) {
  EXPECT_FALSE(list_processes(root() + "/none"));
}

TEST_F(Proc, PidAndTimeAreThoseForChildren) {
  process(77, 1, "/", 5);
  auto set = read_namespaces(77, root());
  EXPECT_EQ(set[NamespaceType::pid], 4026531836u) << "no pid_for_children yet: the own one";
  EXPECT_EQ(set[NamespaceType::time], 4026531999u);
  link("77/ns/pid_for_children", "pid:[4026532444]");
  EXPECT_EQ(read_namespaces(77, root())[NamespaceType::pid], 4026532444u);
  EXPECT_EQ(read_namespaces(78, root()), event::NamespaceSet{});
}

TEST_F(Proc, MembersOfACgroup) {
  process(77, 1, "/web", 5);
  process(78, 1, "/web", 6);
  write("web/cgroup.procs", "0\n76\n77\n78\n");  // 76 is gone, 0 is in another pid namespace
  const std::string folder = root() + "/web";
  EXPECT_TRUE(has_member_in_mount_namespace(folder, 5, root()));
  EXPECT_TRUE(has_member_in_mount_namespace(folder, 6, root()));
  EXPECT_FALSE(has_member_in_mount_namespace(folder, 7, root()));
  EXPECT_FALSE(has_member_in_mount_namespace(folder + "/none", 5, root()));
  EXPECT_THAT(parse_cgroup_procs("1\n22\nx\n"), ElementsAre(1, 22));
}

TEST_F(Proc, HostNamespacesAreThoseOfPid1) {
  EXPECT_FALSE(read_host_namespaces(root()));
  process(1, 1, "/", 4026531841);
  const auto host = read_host_namespaces(root());
  ASSERT_TRUE(host);
  EXPECT_EQ((*host)[NamespaceType::mnt], 4026531841u);
}

TEST_F(Proc, ExeOfTheRightProcessOnly) {
  process(77, 500, "/", 5);
  link("77/exe", "/usr/bin/nsenter");
  EXPECT_EQ(read_exe(77, 77, boot_ns(500), root()), "/usr/bin/nsenter");
  EXPECT_EQ(read_exe(77, 77, boot_ns(500) + 9'999'999, root()), "/usr/bin/nsenter");
  EXPECT_EQ(read_exe(77, 77, boot_ns(501), root()), "") << "the id was given to another";
  EXPECT_EQ(read_exe(77, 78, boot_ns(500), root()), "") << "no such thread";
  EXPECT_EQ(read_exe(79, 79, boot_ns(500), root()), "");
}

TEST_F(Proc, OurselvesInTheRealProc) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  EXPECT_NE(read_namespaces(pid)[NamespaceType::mnt], 0u);
  EXPECT_FALSE(read_command_line(pid).empty());
  const auto stat = read_small_file("/proc/self/stat");
  ASSERT_TRUE(stat);
  const auto ticks = parse_start_ticks(*stat);
  ASSERT_TRUE(ticks);
  EXPECT_EQ(read_exe(pid, pid, boot_ns(*ticks)), read_link("/proc/self/exe"));
}

TEST_F(Proc, VmOfAProcess) {
  write("77/cmdline", std::string("qemu\0-name\0guest=web\0", 21));
  link("77/exe", "/usr/bin/qemu-system-x86_64 (deleted)");
  const Vm vm = read_vm(77, root());
  EXPECT_EQ(vm.name, "web");
  EXPECT_EQ(vm.vmm, "qemu");
  const Vm gone = read_vm(78, root());
  EXPECT_EQ(gone.name, "pid:78");
  EXPECT_EQ(gone.vmm, "unknown");
}

TEST(ProcessStatus, TheInnermostPid) {
  EXPECT_EQ(parse_inner_pid("Name:\ta\nNSpid:\t4711\t12\t1\nNSpgid:\t4711\n"), 1u);
  EXPECT_EQ(parse_inner_pid("Name:\ta\nNSpid:\t4711\n"), 4711u);
  EXPECT_EQ(parse_inner_pid("Name:\ta\nNSpid:\t4711"), 4711u);
  for (const char* text : {"", "Name:\ta\n", "NSpid:\t1\n", "Name:\ta\nNSpid:\n", "Name:\ta\nNSpid:\tx\n"}) {
    EXPECT_FALSE(parse_inner_pid(text)) << text;
  }
}

}  // namespace
}  // namespace isoscope::identity
