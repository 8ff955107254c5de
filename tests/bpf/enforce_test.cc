// SPDX-License-Identifier: Apache-2.0
// bpf/enforce.bpf.c: who comes into the host's namespaces is killed by the program that sees it, where that
// is enforced for his home cgroup.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "cgroup.h"
#include "live.h"

namespace isoscope::live {
namespace {

using event::Answer;
using event::NamespacesChanged;

constexpr std::uint64_t uts = 1U << ISOSCOPE_NS_UTS;

// A child that was there before the programs: its home is the cgroup it is in, and nobody else's. It leaves
// the host's uts namespace, and comes back.
class Enforce : public Live {
 protected:
  // Whatever the mechanism, the set of these types.
  static isoscope_enforcement enforcement_of(std::uint64_t set) {
    isoscope_enforcement enforcement{};
    for (auto& of_mechanism : enforcement.kill) {
      of_mechanism[set / 64] = std::uint64_t{1} << (set % 64);
    }
    return enforcement;
  }

  void begin(probe::Options options = {}) {
    child_.emplace(Child::How{.cgroup = box_.fd()}, [&] {
      const int host = ::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
      out_.wait();
      int failed = ::unshare(CLONE_NEWUTS);
      back_.wait();
      failed |= ::setns(host, CLONE_NEWUTS);
      *ran_on_ = true;
      end_.wait();
      return failed;
    });
    const event::NamespaceSet ours = namespaces_of(static_cast<std::uint32_t>(::getpid()));
    std::copy(ours.inum.begin(), ours.inum.end(), std::begin(options.host_namespaces.inum));
    start(options);
  }
  void leave() {
    out_.open();
    ASSERT_TRUE(await_records_of<NamespacesChanged>(child_->pid(), 1));
    EXPECT_EQ(told().front().what.answer, Answer::none) << "a namespace of its own is nobody's";
  }
  void expect_killed() {
    back_.open();
    EXPECT_EQ(child_->await_end(), 128 + SIGKILL);
    ASSERT_TRUE(await_records_of<NamespacesChanged>(child_->pid(), 2));
    EXPECT_EQ(told().back().what.answer, Answer::killed);
    EXPECT_EQ(counter(ISOSCOPE_KILLS), 1U);
    EXPECT_EQ(counter(ISOSCOPE_KILLS_REFUSED), 0U);
    if (features().legal_paths()) {
      EXPECT_FALSE(*ran_on_) << "its system call has not returned";
    }
  }
  void expect_alive() {
    back_.open();
    ASSERT_TRUE(await_records_of<NamespacesChanged>(child_->pid(), 2));
    EXPECT_EQ(told().back().what.answer, Answer::none);
    end_.open();
    EXPECT_EQ(child_->await_end(), 0);
    EXPECT_EQ(counter(ISOSCOPE_KILLS), 0U);
  }
  std::vector<Seen<NamespacesChanged>> told() { return seen_of<NamespacesChanged>(child_->pid()); }

  Cgroup box_;
  Gate out_, back_, end_;
  Shared<bool> ran_on_;
  std::optional<Child> child_;
};

TEST_F(Enforce, AnEscapeIsKilled) {
  begin();
  probe().set_enforcement(box_.id(), enforcement_of(uts));
  probe().enforce(true);
  leave();
  expect_killed();
}

TEST_F(Enforce, NobodyLooksWhereItIsOff) {
  begin();
  probe().set_enforcement(box_.id(), enforcement_of(uts));
  leave();
  expect_alive();
}

TEST_F(Enforce, OtherTypesAreAnotherCase) {
  begin();
  isoscope_enforcement others{};
  for (auto& of_mechanism : others.kill) {
    std::fill(std::begin(of_mechanism), std::end(of_mechanism), ~std::uint64_t{0});
    of_mechanism[0] &= ~(std::uint64_t{1} << uts);
  }
  probe().set_enforcement(box_.id(), others);
  probe().enforce(true);
  leave();
  expect_alive();
}

TEST_F(Enforce, AnotherCgroupsRulesAreNotItsOwn) {
  begin();
  const Cgroup other;
  probe().set_enforcement(other.id(), enforcement_of(uts));
  probe().set_enforcement(box_.id(), enforcement_of(uts));
  probe().forget_enforcement(box_.id());
  probe().enforce(true);
  leave();
  expect_alive();
}

// As a container's that shares it with the host.
TEST_F(Enforce, BackIntoTheUnitsOwnIsNoCrossing) {
  begin();
  isoscope_enforcement enforcement = enforcement_of(uts);
  enforcement.own.inum[ISOSCOPE_NS_UTS] =
      namespaces_of(static_cast<std::uint32_t>(::getpid()))[event::NamespaceType::uts];
  probe().set_enforcement(box_.id(), enforcement);
  probe().enforce(true);
  leave();
  expect_alive();
}

// Its record is dropped, and it is killed all the same.
TEST_F(Enforce, AFullRingSavesNobody) {
  begin({.security_ring_bytes = 4096});
  probe().set_enforcement(box_.id(), enforcement_of(uts));
  probe().enforce(true);
  leave();
  const Cgroup outer;
  for (int i = 0; i < 100; ++i) {
    const Cgroup inner(outer.folder(), std::to_string(i));
  }
  const std::uint64_t dropped = counter(ISOSCOPE_DROPPED_SECURITY);
  back_.open();
  EXPECT_EQ(child_->await_end(), 128 + SIGKILL);
  EXPECT_GT(counter(ISOSCOPE_DROPPED_SECURITY), dropped);
  EXPECT_EQ(counter(ISOSCOPE_KILLS), 1U);
}

}  // namespace
}  // namespace isoscope::live
