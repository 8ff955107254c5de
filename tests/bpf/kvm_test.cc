// SPDX-License-Identifier: Apache-2.0
// bpf/kvm.bpf.c: which of its programs load here. What they count is tested with guests in the vm tier.
#include <bpf/btf.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "agent_capabilities.h"
#include "base/capabilities.h"
#include "bpf_objects.h"
#include "live.h"
#include "probe/discover.h"

namespace isoscope::live {
namespace {

using kernel::KvmFeatures;
using kernel::KvmPath;
using kernel::KvmVendor;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

bool has_type(const char* module, const char* name, std::uint32_t kind) {
  const Btf kernel(btf__load_vmlinux_btf());
  if (btf__find_by_name_kind(kernel.get(), name, kind) > 0) {
    return true;
  }
  const Btf types(btf__load_module_btf(module, kernel.get()));
  return types && btf__find_by_name_kind(types.get(), name, kind) > 0;
}

// For this process alone, where nobody has mounted it. The rest of a host's mounts is not touched.
void mount_tracefs_if_missing() {
  if (std::filesystem::exists("/sys/kernel/tracing/events") ||
      std::filesystem::exists("/sys/kernel/debug/tracing/events")) {
    return;
  }
  if (::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
    (void)::mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
  }
}

struct Path {
  const char* name;
  KvmPath path;
};

// What discovery says of a host where this path is taken.
KvmFeatures host_for(KvmPath path) {
  KvmFeatures kvm;
  kvm.loaded = true;
  kvm.tracepoint_types = path != KvmPath::classic;
  kvm.vcpu_types = path == KvmPath::svm || path == KvmPath::vmx;
  kvm.vendor = path == KvmPath::vmx     ? KvmVendor::vmx
               : path == KvmPath::other ? KvmVendor::other
                                        : KvmVendor::svm;
  if (path == KvmPath::classic) {
    kvm.classic = probe::discover_kvm().classic;
  }
  return kvm;
}

// Whether this kernel must take the programs of a path.
bool possible(KvmPath path) {
  if (path == KvmPath::classic) {
    return true;
  }
  return has_type("kvm", "btf_trace_kvm_exit", BTF_KIND_TYPEDEF) &&
         (path != KvmPath::svm || has_type("kvm_amd", "vcpu_svm", BTF_KIND_STRUCT)) &&
         (path != KvmPath::vmx || has_type("kvm_intel", "vcpu_vmx", BTF_KIND_STRUCT));
}

// As the kernel shows them, with 15 characters.
std::vector<std::string> expected_programs(const KvmFeatures& kvm) {
  const kernel::KvmHooks hooks = probe::discover_kvm_hooks(kvm, features().legal_paths());
  std::vector<std::string> names;
  if (hooks.run_start) {
    names.emplace_back("handle_kvm_arch");
  }
  names.insert(names.end(), {"handle_kvm_entr", "handle_kvm_exit"});
  if (hooks.nested_vmexit) {
    names.emplace_back("handle_kvm_nest");
  }
  if (hooks.userspace_exit) {
    names.emplace_back("handle_kvm_user");
  }
  if (hooks.vcpu_wakeup) {
    names.emplace_back("handle_kvm_vcpu");
  }
  return names;
}

class Kvm : public Live, public ::testing::WithParamInterface<Path> {
 protected:
  void expect_attaches(const KvmFeatures& kvm) {
    const BpfObjects before = own_bpf_objects();
    const auto attached = probe().attach_kvm(kvm);
    ASSERT_TRUE(attached) << attached.error().message;
    EXPECT_TRUE(probe().kvm_attached());
    BpfObjects added = own_bpf_objects();
    EXPECT_EQ(added.maps.size(), before.maps.size() + 1) << "all but the knobs are shared";
    for (const std::uint32_t id : before.programs) {
      added.programs.erase(id);
    }
    for (const std::uint32_t id : before.links) {
      added.links.erase(id);
    }
    EXPECT_THAT(program_names(added), testing::ElementsAreArray(expected_programs(kvm)));
    EXPECT_EQ(attached_names(added), program_names(added));

    probe().detach_kvm();
    EXPECT_FALSE(probe().kvm_attached());
    EXPECT_TRUE(eventually([&] { return alive(added).programs.empty() && alive(added).links.empty(); }));
    expect_same(before);
  }
  void expect_refuses(const KvmFeatures& kvm) {
    const BpfObjects before = own_bpf_objects();
    const auto attached = probe().attach_kvm(kvm);
    ASSERT_FALSE(attached);
    EXPECT_THAT(attached.error().message, testing::HasSubstr("kvm"));
    EXPECT_FALSE(probe().kvm_attached());
    expect_same(before);
  }
  static void expect_same(const BpfObjects& before) {
    const BpfObjects now = own_bpf_objects();
    EXPECT_EQ(now.programs, before.programs);
    EXPECT_EQ(now.links, before.links);
    EXPECT_EQ(now.maps, before.maps);
  }
};

TEST_P(Kvm, AttachesAgainAndAgainOrIsRefused) {
  if (GetParam().path == KvmPath::classic) {
    mount_tracefs_if_missing();
    if (!probe::discover_kvm().classic) {
      GTEST_SKIP() << "NOT RUN, missing: tracefs with the tracepoints of kvm";
    }
  }
  start();
  const KvmFeatures kvm = host_for(GetParam().path);
  ASSERT_EQ(kernel::kvm_path(kvm), GetParam().path);
  const auto expect_it = [&] { possible(GetParam().path) ? expect_attaches(kvm) : expect_refuses(kvm); };
  expect_it();
  // Again as the agent does it when the modules come late, with the capabilities that it still has then. In a
  // thread: they are gone for its life.
  std::thread([&] {
    ASSERT_TRUE(base::keep_capabilities(agent_capabilities));
    expect_it();
  }).join();
  // The other programs go on.
  const Child child({.flags = CLONE_NEWUTS}, [] { return 0; });
  EXPECT_TRUE(await_records_of<event::NamespacesChanged>(child.pid(), 1));
}

INSTANTIATE_TEST_SUITE_P(Paths, Kvm,
                         ::testing::Values(Path{"svm", KvmPath::svm}, Path{"vmx", KvmPath::vmx},
                                           Path{"other", KvmPath::other}, Path{"classic", KvmPath::classic}),
                         [](const auto& path) { return std::string(path.param.name); });

TEST_F(Live, KvmOfThisHostAttachesIfItIsThere) {
  start();
  const KvmFeatures kvm = probe::discover_kvm();
  if (kernel::kvm_path(kvm) == KvmPath::none) {
    GTEST_SKIP() << "NOT RUN, no kvm here";
  }
  const auto attached = probe().attach_kvm(kvm);
  EXPECT_TRUE(attached) << attached.error().message;
}

TEST_F(Live, NoKvmIsAnError) {
  start();
  EXPECT_FALSE(probe().attach_kvm({}));
  EXPECT_FALSE(probe().kvm_attached());
}

}  // namespace
}  // namespace isoscope::live
