// SPDX-License-Identifier: Apache-2.0
#include "kernel/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/tracepoint_format.h"

namespace isoscope::kernel {
namespace {

using testing::HasSubstr;

Features whole() {
  Features features;
  features.release = "6.12.0";
  features.bpf_syscall = true;
  features.btf = true;
  features.scheduler_tracepoints = true;
  features.switch_has_state = true;
  features.cgroup_tracepoints = true;
  features.fentry_switch_task_namespaces = true;
  features.fentry_perf_event_namespaces = true;
  features.task_iterator = true;
  features.fexit_commit_creds = true;
  features.access = {true, true, true, true, true, true, true, true};
  features.attempts = {true, true};
  features.tracefs = true;
  features.cgroups = CgroupHierarchy{CgroupController::unified, 0, {"/sys/fs/cgroup", ""}};
  features.kvm.loaded = true;
  features.kvm.vendor = KvmVendor::svm;
  features.kvm.vendor_module = "kvm_amd";
  features.kvm.tracepoint_types = true;
  features.kvm.vcpu_types = true;
  features.kvm.classic = ClassicKvm{8, 56, 24, 16, 8};
  features.kvm.hooks = {true, true, true, true};
  return features;
}

const Capability& line(const std::vector<Capability>& lines, const std::string& name) {
  const auto found =
      std::find_if(lines.begin(), lines.end(), [&](const Capability& c) { return c.name == name; });
  EXPECT_NE(found, lines.end()) << name;
  return *found;
}

TEST(Require, AWholeKernelIsEnough) {
  EXPECT_TRUE(require(whole()));
}

TEST(Explain, NamesTheHierarchyOfV1) {
  Features features = whole();
  EXPECT_EQ(line(explain(features), "units by cgroup").state, Availability::on);
  features.cgroups = CgroupHierarchy{CgroupController::pids, 8, {"/sys/fs/cgroup/pids", ""}};
  const auto lines = explain(features);
  EXPECT_EQ(line(lines, "units by cgroup").state, Availability::degraded);
  EXPECT_THAT(line(lines, "units by cgroup").words, HasSubstr("the pids hierarchy at /sys/fs/cgroup/pids"));
  features.cgroups.reset();
  EXPECT_THAT(line(explain(features), "units by cgroup").words, HasSubstr("every task counts as the host's"));
}

TEST(Explain, NamesTheHooksThatAreMissing) {
  Features features = whole();
  EXPECT_EQ(line(explain(features), "access across units").state, Availability::on);
  features.access.ptrace = features.access.bpf = false;
  const auto lines = explain(features);
  EXPECT_EQ(line(lines, "access across units").state, Availability::degraded);
  EXPECT_THAT(line(lines, "access across units").words,
              HasSubstr("without hooks for ptrace and /proc/PID, bpf(2)"));
}

TEST(Explain, SaysWhetherRefusedCrossingsAreSeen) {
  Features features = whole();
  EXPECT_EQ(line(explain(features), "crossings that are refused").state, Availability::on);
  features.attempts.of_32_bits = false;
  EXPECT_THAT(line(explain(features), "crossings that are refused").words, HasSubstr("of 64-bit programs"));
  features.attempts.there = false;
  EXPECT_EQ(line(explain(features), "crossings that are refused").state, Availability::off);
}

TEST(Explain, SaysWhichInvariantCannotBeTold) {
  Features features = whole();
  EXPECT_EQ(line(explain(features), "invariants of tasks").state, Availability::on);
  features.fexit_commit_creds = false;
  EXPECT_EQ(line(explain(features), "invariants of tasks").state, Availability::degraded);
  features.fentry_perf_event_namespaces = false;
  EXPECT_THAT(line(explain(features), "invariants of tasks").words, HasSubstr("I6"));
}

TEST(Require, NamesTheMissingCapability) {
  Features features = whole();
  features.missing_capabilities = {"CAP_BPF", "CAP_PERFMON"};
  features.btf = false;  // permission is told first: without it nothing else is known for sure
  const auto result = require(features);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, base::ErrorKind::permission);
  EXPECT_THAT(result.error().message, HasSubstr("CAP_BPF, CAP_PERFMON"));
}

struct Lacking {
  const char* what;
  void (*take)(Features&);
  const char* said;
};

class RequireLacking : public testing::TestWithParam<Lacking> {};

TEST_P(RequireLacking, IsUnsupportedInWords) {
  Features features = whole();
  GetParam().take(features);
  const auto result = require(features);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, base::ErrorKind::unsupported);
  EXPECT_THAT(result.error().message, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Features, RequireLacking,
    testing::Values(Lacking{"Btf", [](Features& f) { f.btf = false; }, "no BTF"},
                    Lacking{"Bpf", [](Features& f) { f.bpf_syscall = false; },
                            "bpf system call is switched off"},
                    Lacking{"Lockdown", [](Features& f) { f.lockdown = "confidentiality"; }, "locked down"},
                    Lacking{"Tracepoints", [](Features& f) { f.scheduler_tracepoints = false; }, "5.15"}),
    [](const auto& info) { return info.param.what; });

TEST(Require, IntegrityLockdownIsNoObstacle) {
  Features features = whole();
  features.lockdown = "integrity";
  EXPECT_TRUE(require(features));
}

TEST(KvmPath, FollowsTheLoadedModuleAndItsTypes) {
  KvmFeatures kvm = whole().kvm;
  EXPECT_EQ(kvm_path(kvm), KvmPath::svm);
  kvm.vendor = KvmVendor::vmx;
  EXPECT_EQ(kvm_path(kvm), KvmPath::vmx);
  kvm.vcpu_types = false;
  EXPECT_EQ(kvm_path(kvm), KvmPath::classic);
  kvm.classic.reset();
  EXPECT_EQ(kvm_path(kvm), KvmPath::other);
  kvm.tracepoint_types = false;
  EXPECT_EQ(kvm_path(kvm), KvmPath::none);
}

TEST(KvmPath, OnlyTheClassicTracepointKnowsAnIntelGuestsRip) {
  KvmFeatures kvm = whole().kvm;
  EXPECT_EQ(kvm_path(kvm, true), KvmPath::svm);
  kvm.vendor = KvmVendor::vmx;
  EXPECT_EQ(kvm_path(kvm, true), KvmPath::classic);
  kvm.classic.reset();
  EXPECT_EQ(kvm_path(kvm, true), KvmPath::vmx);
}

TEST(KvmPath, ForeignVendorIsNeverReadAsAKnownOne) {
  KvmFeatures kvm = whole().kvm;
  kvm.vendor = KvmVendor::other;
  EXPECT_EQ(kvm_path(kvm), KvmPath::other);
}

TEST(KvmPath, NothingWithoutAVendorModule) {
  KvmFeatures kvm = whole().kvm;
  kvm.vendor = KvmVendor::none;
  EXPECT_EQ(kvm_path(kvm), KvmPath::none);
}

TEST(Explain, AllOnWithAWholeKernel) {
  for (const Capability& capability : explain(whole())) {
    EXPECT_EQ(capability.state, Availability::on) << capability.name;
  }
}

TEST(Explain, WithoutATaskIteratorThereIsNoRecheck) {
  Features features = whole();
  EXPECT_THAT(line(explain(features), "re-check after a loss").words, HasSubstr("iter/task"));
  features.task_iterator = false;
  EXPECT_EQ(line(explain(features), "re-check after a loss").state, Availability::off);
}

TEST(Explain, WithoutFentrySaysWhichDetectionsAreOff) {
  Features features = whole();
  features.fentry_perf_event_namespaces = false;
  const auto lines = explain(features);
  EXPECT_EQ(line(lines, "namespace changes by system call").state, Availability::off);
  EXPECT_THAT(line(lines, "namespace changes by system call").words, HasSubstr("no fentry"));
  EXPECT_EQ(line(lines, "namespace changes by state").state, Availability::on);
}

TEST(Explain, WithoutKvmSaysThatItIsAttachedWhenItComes) {
  Features features = whole();
  features.kvm = KvmFeatures{};
  const auto lines = explain(features);
  EXPECT_EQ(line(lines, "VM exits").state, Availability::off);
  EXPECT_THAT(line(lines, "VM exits").words, HasSubstr("not loaded"));
}

TEST(Explain, SaysWhichPartOfAnExitIsNotTold) {
  Features features = whole();
  features.kvm.hooks.run_start = false;
  auto split = line(explain(features), "VM exits divided");
  EXPECT_EQ(split.state, Availability::degraded);
  EXPECT_THAT(split.words, HasSubstr("no fentry on kvm_arch_vcpu_ioctl_run"));
  features.kvm.hooks.vcpu_wakeup = false;
  EXPECT_THAT(line(explain(features), "VM exits divided").words, HasSubstr("has no kvm_vcpu_wakeup"));
  features.kvm.hooks.userspace_exit = false;
  EXPECT_THAT(line(explain(features), "VM exits divided").words, HasSubstr("has no kvm_userspace_exit"));
  features.kvm.loaded = false;
  EXPECT_EQ(line(explain(features), "VM exits divided").state, Availability::off);
}

// Debian 6.1, /sys/kernel/tracing/events/kvm/kvm_exit/format (shortened).
constexpr const char* format_6_1 = R"(name: kvm_exit
ID: 1560
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:unsigned int exit_reason;	offset:8;	size:4;	signed:0;
	field:unsigned long guest_rip;	offset:16;	size:8;	signed:0;
	field:u32 isa;	offset:24;	size:4;	signed:0;
	field:u64 info1;	offset:32;	size:8;	signed:0;
	field:u64 info2;	offset:40;	size:8;	signed:0;
	field:u32 intr_info;	offset:48;	size:4;	signed:0;
	field:u32 error_code;	offset:52;	size:4;	signed:0;
	field:unsigned int vcpu_id;	offset:56;	size:4;	signed:0;

print fmt: "vcpu %u reason %s%s%s rip 0x%lx", REC->vcpu_id, REC->exit_reason
)";

constexpr const char* wakeup_format_6_1 = R"(name: kvm_vcpu_wakeup
ID: 1545
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;

	field:__u64 ns;	offset:8;	size:8;	signed:0;
	field:bool waited;	offset:16;	size:1;	signed:0;
	field:bool valid;	offset:17;	size:1;	signed:0;
)";

TEST(TracepointFormat, OffsetsByFieldName) {
  const auto offsets = parse_kvm_formats(format_6_1, wakeup_format_6_1);
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->reason_offset, 8U);
  EXPECT_EQ(offsets->isa_offset, 24U);
  EXPECT_EQ(offsets->vcpu_offset, 56U);
  EXPECT_EQ(offsets->rip_offset, 16U);
  EXPECT_EQ(offsets->wakeup_ns_offset, 8U);
}

TEST(TracepointFormat, AMissingFieldOrAnotherSizeIsNotGuessed) {
  std::string text = format_6_1;
  text.replace(text.find("vcpu_id;"), 8, "vcpu_no;");
  EXPECT_FALSE(parse_kvm_formats(text, wakeup_format_6_1));
  text = format_6_1;
  text.replace(text.find("offset:8;\tsize:4;"), 17, "offset:8;\tsize:8;");
  EXPECT_FALSE(parse_kvm_formats(text, wakeup_format_6_1));
  EXPECT_FALSE(parse_kvm_formats(format_6_1, ""));
  EXPECT_FALSE(parse_kvm_formats("", wakeup_format_6_1));
}

}  // namespace
}  // namespace isoscope::kernel
