// SPDX-License-Identifier: Apache-2.0
// bpf/access.bpf.c: what needs no fentry. The rest is for the lab.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::AccessKind;

std::uint32_t own_mount_namespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/mnt", &info) == 0 ? static_cast<std::uint32_t>(info.st_ino) : 0;
}

class AccessAcross : public Live {
 protected:
  void start() { start_among_hosts({}); }
  std::vector<Seen<event::Access>> told(AccessKind kind, std::uint64_t home) {
    drain();
    return seen<event::Access>([&](const event::Meta&, const event::Access& access) {
      return access.kind == kind && access.home_cgroup_id == home;
    });
  }

  // A shell that belongs to the cgroup: it started there in a mount namespace of its own.
  static int run_inside(const std::string& script) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return 99;
    }
    ::execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    return 98;
  }
};

TEST_F(AccessAcross, SignalsToOtherUnits) {
  start();
  const Cgroup of_target;
  const Cgroup of_sender;
  const Child target({.cgroup = of_target.fd()}, [] { return run_inside("while :; do sleep 1; done"); });
  ASSERT_TRUE(eventually([&] {
    drain();
    return !seen<event::Exec>([&](const event::Meta& meta, const event::Exec&) {
              return meta.tid == target.pid();
            }).empty();
  }));
  const std::string pid = std::to_string(target.pid());
  const Child sender({.cgroup = of_sender.fd()}, [&] {
    return run_inside("kill -CONT " + pid + "; kill -CONT " + pid + "; kill -WINCH " + pid +
                      "; kill -CONT $$; true");
  });
  ASSERT_EQ(sender.await_end(), 0);
  const auto signals = told(AccessKind::signal, of_sender.id());
  ASSERT_EQ(signals.size(), 2U) << "each signal once, and none to itself, nor the kernel's SIGCHLD";
  EXPECT_EQ(signals[0].what.detail, static_cast<std::uint32_t>(SIGCONT));
  EXPECT_EQ(signals[1].what.detail, static_cast<std::uint32_t>(SIGWINCH));
  EXPECT_EQ(signals[0].what.target_tgid, target.pid());
  EXPECT_EQ(signals[0].what.target_cgroup_id, of_target.id());
  EXPECT_EQ(signals[0].what.target_in_cgroup_id, of_target.id());
  EXPECT_EQ(signals[0].what.error, 0U);
  EXPECT_EQ(signals[0].what.comm, "sh");
  EXPECT_EQ(signals[0].what.parent_tgid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(counter(ISOSCOPE_ACCESS_FOLDED), 1U);
}

// It may reach everywhere.
TEST_F(AccessAcross, TheHostIsNotTold) {
  start();
  const Cgroup of_target;
  const Child target({.cgroup = of_target.fd()}, [] { return run_inside("while :; do sleep 1; done"); });
  ASSERT_TRUE(eventually([&] {
    drain();
    return !seen_of<event::Exec>(target.pid()).empty();
  }));
  ASSERT_EQ(::kill(static_cast<pid_t>(target.pid()), SIGCONT), 0);
  EXPECT_TRUE(told(AccessKind::signal, own_cgroup_id()).empty());
}

TEST_F(AccessAcross, AFolderThatWasLeftOpen) {
  start();
  const Cgroup cgroup;
  const std::uint32_t host_mnt = own_mount_namespace();
  const Child leaked({.cgroup = cgroup.fd()}, [] {
    const int left_open = ::open("/", O_RDONLY | O_DIRECTORY);
    if (::unshare(CLONE_NEWNS) != 0 || ::fchdir(left_open) != 0) {
      return 99;
    }
    ::execl("/bin/true", "true", nullptr);
    return 98;
  });
  const Child clean({.cgroup = cgroup.fd()}, [] { return run_inside("true"); });
  ASSERT_EQ(leaked.await_end(), 0);
  ASSERT_EQ(clean.await_end(), 0);
  const auto folders = told(AccessKind::foreign_cwd, cgroup.id());
  ASSERT_EQ(folders.size(), 1U);
  EXPECT_EQ(folders[0].meta.tgid, leaked.pid());
  EXPECT_EQ(folders[0].what.detail, host_mnt);
  EXPECT_TRUE(told(AccessKind::foreign_root, cgroup.id()).empty());
}

}  // namespace
}  // namespace isoscope::live
